"""A demo cloud: a real Keystone, Placement and Nova with simulated hypervisors.

Nothing of the product imports this package; it exists for ``make demo`` and for the tests.

=====================  ==========================================================================
module                 what it is
=====================  ==========================================================================
``controlplane``       the whole control plane in one process behind one loopback port
``simulated_compute``  one nova-compute per simulated host, with its own live-migration pool
``simulated_driver``   the virt driver: copies take time, report bytes, and can be made to fail
``behaviours``         what a server's metadata can ask the driver to play (one table)
``standins``           the few answers of Glance and Neutron that Nova and Horizon ask for
``instrumentation``    WSGI middleware: request log, API faults, control of single hosts
``databases``          SQLite under many threads, schemas, and the cached template
``harness``            ``DemoCloud``: what tests use
``seed``               the servers, projects and users that ``make demo`` shows
``horizon_settings``   Django settings of a Horizon that runs against the demo cloud
``horizon``            serves that Horizon
``launcher``           ``python -m ukcloud_maintenance.demo``: everything together
=====================  ==========================================================================
"""
