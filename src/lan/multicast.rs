//! The multicast DNS thread and the one who ends it.

use mdns_sd::{
    DaemonEvent, DaemonStatus, Error, HostnameResolutionEvent, IfKind, Receiver, ServiceDaemon, ServiceEvent,
    ServiceInfo,
};

use crate::lan::SERVICE;

/// A thread that speaks multicast DNS on every interface but the loopback; it ends with its owner.
pub(crate) struct Multicast(ServiceDaemon);

impl Multicast {
    /// Starts the thread. It says nothing until it is asked to.
    pub(crate) fn start() -> Result<Self, Error> {
        let multicast = Self(ServiceDaemon::new()?);
        multicast.0.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
        Ok(multicast)
    }

    /// Announces a service, now and whenever a network appears.
    pub(crate) fn register(&self, service: ServiceInfo) -> Result<Receiver<DaemonEvent>, Error> {
        let events = self.0.monitor()?;
        self.0.register(service)?;
        Ok(events)
    }

    /// Looks for services of our type.
    pub(crate) fn browse(&self) -> Result<Receiver<ServiceEvent>, Error> {
        self.0.browse(SERVICE)
    }

    /// Asks for the addresses of a name that ends with `.local.`, until the receiver is dropped.
    pub(crate) fn resolve(&self, name: &str) -> Result<Receiver<HostnameResolutionEvent>, Error> {
        self.0.resolve_hostname(name, None)
    }

    /// Takes back what was announced and ends the thread; the receiver tells when that is done.
    pub(crate) fn end(&self) -> Result<Receiver<DaemonStatus>, Error> {
        self.0.shutdown()
    }
}

impl Drop for Multicast {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.end();
    }
}
