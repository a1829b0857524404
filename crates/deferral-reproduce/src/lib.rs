//! Rebuilds published tables and figures: experiments are files, and every published cell gets a verdict.
//!
//! A file ([`experiment::Experiment`]) says what is run, what was published and what was claimed. [`plan::Plan`] turns all
//! of them into one list of jobs, [`runner::run`] carries them out on all cores and keeps what is finished
//! ([`cache::Cache`]), [`verdict::tables`] and [`claims`] compare, and [`report`] shows it. Nothing here knows a paper.

pub mod cache;
pub mod catalogue;
pub mod claims;
pub mod data;
pub mod error;
pub mod experiment;
pub mod fetch;
pub mod papers;
pub mod plan;
pub mod report;
pub mod runner;
pub mod sample;
pub mod shard;
pub mod studies;
pub mod verdict;
