"""The one place where Horizon's request becomes an actor and a cloud."""

from datetime import datetime
from functools import cache, partial

from django.conf import settings
from keystoneauth1 import session as ksa_session
from keystoneauth1.access import AccessInfoV3
from keystoneauth1.identity.access import AccessInfoPlugin
from openstack_auth import policy as auth_policy
from openstack_dashboard import policy

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.printable import logger

LOG = logger(__name__)

#: characters that are recorded of a name: Keystone takes 255 for a user and 64 more for a domain
NAME_MAX = 255
#: the scope of our rules in Horizon's POLICY_FILES
SCOPE = "maintenance"


def region(request) -> str:
    """The region that is chosen in Horizon's region selector."""
    return str(request.user.services_region or "")


def actor(request) -> Actor:
    """Who asks: the user of the request, checked against Horizon's policy."""
    user = request.user
    return Actor(
        id=str(user.id or ""),
        name=_display_name(user),
        may=cache(partial(may, request)),  # a page asks for the same few rules again and again
    )


def _display_name(user) -> str:
    """`name`, or `name (domain)` where the domain is not the default one."""
    name = str(user.username or user.id or "")
    domain = str(user.user_domain_name or user.user_domain_id or "")
    default = {"default", str(settings.OPENSTACK_KEYSTONE_DEFAULT_DOMAIN).casefold()}
    told = name if not domain or domain.casefold() in default else f"{name} ({domain})"
    return told[:NAME_MAX]


def may(request, rule: str) -> bool:
    """Whether the policy allows this rule to the user of the request.

    Horizon allows whatever it has no policy for, because the API behind it would refuse. There
    is no API behind our queue: what cannot be checked is denied.
    """
    if problem := _policy_problem(rule):
        LOG.error("%s is denied to everybody: %s", rule, problem)
        return False
    if not request.user.is_authenticated:
        return False
    return bool(policy.check(((SCOPE, rule),), request))


def _policy_problem(rule: str) -> str:
    """What keeps a rule from being checked, or empty."""
    function = settings.POLICY_CHECK_FUNCTION
    if not function:
        return "POLICY_CHECK_FUNCTION is not set."
    if SCOPE not in (settings.POLICY_FILES or {}):
        return f'POLICY_FILES has no "{SCOPE}".'
    if function not in ("openstack_auth.policy.check", auth_policy.check):
        return ""  # the operator's own check has the last word
    enforcer = auth_policy._get_enforcer().get(SCOPE)
    if enforcer is None:
        return f'no rules were found in the files of POLICY_FILES["{SCOPE}"].'
    if rule not in enforcer.rules:
        return f'neither POLICY_FILES["{SCOPE}"] nor DEFAULT_POLICY_FILES["{SCOPE}"] has the rule.'
    return ""


def cloud(request) -> services.Cloud:
    """The cloud as the user of the request sees it. Keystone is not asked: token and catalogue
    are those that the user carries since the login."""
    user = request.user
    token = {
        "catalog": user.service_catalog or [],
        "user": {"id": user.id, "name": user.username},
        "project": {"id": user.project_id, "name": user.project_name},
        "roles": user.roles,
    }
    if isinstance(user.token.expires, datetime):
        token["expires_at"] = user.token.expires.isoformat()
    access = AccessInfoV3(auth_token=user.token.id, body={"token": token})
    verify = False if settings.OPENSTACK_SSL_NO_VERIFY else settings.OPENSTACK_SSL_CACERT or True
    session = ksa_session.Session(
        auth=AccessInfoPlugin(access, auth_url=user.endpoint), verify=verify
    )
    return services.connect(session, region(request), settings.OPENSTACK_ENDPOINT_TYPE)
