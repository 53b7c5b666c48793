//! What the host lends, in safe words. A table that was not granted is `None`.

use crate::bytes::{asked, lend, nothing, take};
use crate::raw;
use crate::{Level, Result};
use core::ffi::{c_void, CStr};
use core::time::Duration;

/// The host. It can be copied and kept; only `log` and the clock may be used from other threads than the call's, where
/// everything else fails with `Code::State`.
#[derive(Clone, Copy)]
pub struct Host {
    raw: &'static raw::Host,
}

// The host checks the thread of every call that needs one, and its tables live as long as the process.
unsafe impl Send for Host {}
unsafe impl Sync for Host {}

macro_rules! lent {
    ($(#[$doc:meta])* $name:ident, $method:ident, $id:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name {
            host: Host,
            raw: &'static raw::$name,
        }

        unsafe impl Send for $name {}
        unsafe impl Sync for $name {}

        impl Host {
            $(#[$doc])*
            pub fn $method(self) -> Option<$name> {
                let found = self.extension($id)?;
                // the id says what the table is; it counts only if it is as long as the one that is known here
                let head = unsafe { *(found as *const raw::Head) };
                let whole = head.magic == raw::MAGIC && head.size as usize >= core::mem::size_of::<raw::$name>();
                whole.then(|| $name { host: self, raw: unsafe { &*(found as *const raw::$name) } })
            }
        }
    };
}

impl Host {
    /// # Safety
    /// `raw` is the host's table, which lives as long as the process.
    pub(crate) unsafe fn new(raw: *const raw::Host) -> Host {
        Host { raw: &*raw }
    }

    fn ctx(self) -> *mut c_void {
        self.raw.ctx
    }

    fn extension(self, id: &CStr) -> Option<*const c_void> {
        let found = unsafe { (self.raw.extension)(self.ctx(), id.as_ptr()) };
        (!found.is_null()).then_some(found)
    }

    /// One line of the log. Any thread.
    pub fn log(self, level: Level, text: &str) {
        unsafe { (self.raw.log)(self.ctx(), level as i32, lend(text.as_bytes())) }
    }
}

lent!(
    /// Messages to other modules.
    Bus, bus, c"meld.bus/1"
);
lent!(
    /// The job that runs, if one does.
    Jobs, jobs, c"meld.jobs/1"
);
lent!(
    /// Small things that outlive the module.
    Kv, kv, c"meld.kv/1"
);
lent!(
    /// The time. Any thread.
    Clock, clock, c"meld.clock/1"
);

impl Bus {
    /// To every module that subscribed to the topic.
    pub fn publish(self, topic: &str, payload: &[u8]) -> Result<()> {
        asked(|e| unsafe { (self.raw.publish)(self.host.ctx(), lend(topic.as_bytes()), lend(payload), e) })
    }

    /// To one module.
    pub fn send(self, to: &str, topic: &str, payload: &[u8]) -> Result<()> {
        let (to, topic) = (lend(to.as_bytes()), lend(topic.as_bytes()));
        asked(|e| unsafe { (self.raw.send)(self.host.ctx(), to, topic, lend(payload), e) })
    }

    /// To one module, and wait for its reply.
    pub fn request(self, to: &str, topic: &str, payload: &[u8], timeout: Duration) -> Result<Vec<u8>> {
        let (to, topic) = (lend(to.as_bytes()), lend(topic.as_bytes()));
        let wait = timeout.as_nanos().min(u64::MAX as u128) as u64;
        let mut reply = nothing();
        asked(|e| unsafe { (self.raw.request)(self.host.ctx(), to, topic, lend(payload), wait, &mut reply, e) })?;
        Ok(unsafe { take(reply) })
    }
}

impl Jobs {
    /// `total` is 0 where nobody knows.
    pub fn report_progress(self, done: u64, total: u64, text: &str) -> Result<()> {
        let text = lend(text.as_bytes());
        asked(|e| unsafe { (self.raw.report_progress)(self.host.ctx(), done, total, text, e) })
    }

    /// Kept when it returns. A job that is paused or cancelled ends in it, and the process with it; outside a job it
    /// fails with `Code::State`.
    pub fn checkpoint(self, data: &[u8]) -> Result<()> {
        asked(|e| unsafe { (self.raw.checkpoint)(self.host.ctx(), lend(data), e) })
    }

    /// What the job kept last.
    pub fn last_checkpoint(self) -> Result<Option<Vec<u8>>> {
        let (mut data, mut found) = (nothing(), 0);
        asked(|e| unsafe { (self.raw.last_checkpoint)(self.host.ctx(), &mut data, &mut found, e) })?;
        let data = unsafe { take(data) };
        Ok((found != 0).then_some(data))
    }

    /// Whether somebody wants the job to end.
    pub fn is_cancelled(self) -> Result<bool> {
        let mut cancelled = 0;
        asked(|e| unsafe { (self.raw.is_cancelled)(self.host.ctx(), &mut cancelled, e) })?;
        Ok(cancelled != 0)
    }

    /// A line of the job's own log.
    pub fn log_line(self, text: &str) -> Result<()> {
        asked(|e| unsafe { (self.raw.log_line)(self.host.ctx(), lend(text.as_bytes()), e) })
    }

    /// A number of the job's; the last one counts.
    pub fn metric(self, name: &str, value: f64) -> Result<()> {
        asked(|e| unsafe { (self.raw.metric)(self.host.ctx(), lend(name.as_bytes()), value, e) })
    }
}

impl Kv {
    pub fn get(self, key: &str) -> Result<Option<Vec<u8>>> {
        let (mut value, mut found) = (nothing(), 0);
        asked(|e| unsafe { (self.raw.get)(self.host.ctx(), lend(key.as_bytes()), &mut value, &mut found, e) })?;
        let value = unsafe { take(value) };
        Ok((found != 0).then_some(value))
    }

    pub fn set(self, key: &str, value: &[u8]) -> Result<()> {
        asked(|e| unsafe { (self.raw.set)(self.host.ctx(), lend(key.as_bytes()), lend(value), e) })
    }

    pub fn remove(self, key: &str) -> Result<()> {
        asked(|e| unsafe { (self.raw.remove)(self.host.ctx(), lend(key.as_bytes()), e) })
    }

    /// In order.
    pub fn keys(self, prefix: &str) -> Result<Vec<String>> {
        unsafe extern "C" fn visit(visitor: *mut c_void, key: raw::Bytes) {
            let found = &mut *(visitor as *mut Vec<String>);
            found.push(String::from_utf8_lossy(crate::bytes::slice(key)).into_owned());
        }
        let mut found: Vec<String> = Vec::new();
        let place = &mut found as *mut Vec<String> as *mut c_void;
        asked(|e| unsafe { (self.raw.keys)(self.host.ctx(), lend(prefix.as_bytes()), visit, place, e) })?;
        Ok(found)
    }
}

impl Clock {
    /// Nanoseconds since 1970, UTC.
    pub fn now(self) -> u64 {
        unsafe { (self.raw.now)(self.host.ctx()) }
    }

    /// Nanoseconds since some moment; never goes back.
    pub fn monotonic(self) -> u64 {
        unsafe { (self.raw.monotonic)(self.host.ctx()) }
    }
}
