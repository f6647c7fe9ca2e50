"""A demo cloud: a real Keystone, Placement and Nova with simulated hypervisors.

Nothing of the product imports this package; it exists for ``make demo`` and for the tests.

=======================  ========================================================================
module                   what it is
=======================  ========================================================================
``config``               what a cloud is made of: hosts, speeds, intervals
``controlplane``         the whole control plane in one process behind one loopback port
``configuration``        the configuration files of Keystone, Placement and Nova
``databases``            SQLite under many threads, schemas, and the cached template
``identity``             Keystone: keys, accounts, the catalog, ``clouds.yaml``
``zones``                the availability zones
``standins``             the few answers of Glance and Neutron that Nova and Horizon need
``instrumentation``      WSGI middleware: request log, API faults, control of single hosts
``cell``                 a cell that is down, as nova-api sees it
``releases``             what differs between the releases of Nova

``hypervisors``          what the simulated hosts share, and what outlives their nova-computes
``simulated_compute``    one nova-compute per simulated host, with its own live-migration pool
``simulated_guests``     one hypervisor and its guests, as long as nothing is migrated
``simulated_driver``     the virt driver: what Nova's migrations do to these guests
``simulated_migration``  one live migration at its source, from start to end
``simulated_copy``       how memory and disk are copied, in bytes over time
``behaviours``           what a server's metadata can make the driver play (one table)

``harness``              ``DemoCloud``: what tests use; servers and their migrations
``remote``               its faults, request log and control of hosts
``plane_process``        its process: started, killed, restarted
``clients``              clients of the cloud's APIs
``waiting``              waiting until something is so
``children``             how processes of the demo are started, and end with who started them
``ports``                free ports on loopback

``seed``                 the servers, projects and users that ``make demo`` shows
``horizon_settings``     Django settings of a Horizon that runs against the demo cloud
``horizon``              serves that Horizon
``launcher``             ``python -m ukcloud_maintenance.demo``: everything together
=======================  ========================================================================
"""
