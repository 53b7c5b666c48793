//! Nothing: the modules are examples of this crate.
