//! The store on a real PostgreSQL, one database per test.

mod connections;
mod events;
mod lists;
mod partitions;
mod refusals;
mod schema;
mod statistics;
mod writes;
