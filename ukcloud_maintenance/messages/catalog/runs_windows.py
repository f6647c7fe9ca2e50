"""What is said of windows by weekday and time that cannot be read."""

from collections.abc import Mapping

from ..template import Template

_FORM = "Write days, hours and time zone, as in: Mon-Fri 22:00-04:00 Europe/London"

TEMPLATES: Mapping[str, Template] = {
    "window_unreadable": Template(
        "'{text}' is not a window.",
        remedy=_FORM,
        cause="The days, or one of the two times, are missing, or the order is another one.",
    ),
    "window_unknown_day": Template(
        "'{day}' is not a day of the week.",
        remedy="Use English names, as in Mon, Sat,Sun, Fri-Mon or Monday, or daily for all.",
        cause="A window names its days in another language, or misspelt.",
    ),
    "window_bad_time": Template(
        "'{time}' is not a time of day.",
        remedy="Write times as HH:MM, from 00:00 to 24:00.",
        cause="A window has an hour above 24, a minute above 59, or a minute of one digit.",
    ),
    "window_begins_at_24": Template(
        "The window '{text}' begins at 24:00.",
        remedy="Let it begin at 00:00 of the next day.",
        cause="24:00 is the end of a day, so only an end of a window can be written so.",
    ),
    "window_has_no_length": Template(
        "The window begins and ends at {time}.",
        remedy="For a whole day write 00:00-24:00; otherwise choose another end.",
        cause="It could mean a day as well as no time at all.",
    ),
    "window_lacks_zone": Template(
        "The window '{text}' does not name a time zone.",
        remedy=_FORM,
        cause="The worker, the browser and the operator may be in different zones.",
    ),
    "window_unknown_zone": Template(
        "There is no time zone named '{zone}'.",
        remedy="Use a name of the time zone database, as in Europe/London, or UTC. Capitals count.",
        cause="The name is misspelt, an abbreviation, or newer than the time zone database.",
    ),
    "window_no_time_zones": Template(
        "Time zone '{zone}' cannot be looked up: this machine has no time zone database.",
        remedy="Install tzdata, from the distribution or with pip, or give the hours in UTC.",
        cause="Neither the system nor the Python environment has the database.",
    ),
}
