//! Dawid-Skene on many generated votes, six a task by 2,400 workers on three classes: wall time, peak memory, accuracy.
//!
//! `cargo run --release -p deferral-crowd --example million_tasks -- 1000000`
#![allow(clippy::print_stdout, reason = "an example talks to the terminal")]

use std::time::Instant;

use deferral_core::{
    Aggregator, Ballots, CaseId, Context, Decisions, DecisionsBuilder, ExpertId, Label, Silent, Stream,
};
use deferral_crowd::DawidSkene;
use rand::RngExt;

const WORKERS: usize = 2400;
const CLASSES: usize = 3;
const VOTES: usize = 6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tasks: usize = std::env::args().nth(1).unwrap_or_else(|| "1000000".to_owned()).parse()?;
    let begin = Instant::now();
    let (votes, truth) = generate(tasks)?;
    println!("{} votes generated in {:.2} s", votes.len(), begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    let mut silent = Silent;
    let mut ctx = Context::new(Stream::new(1), &mut silent);
    let consensus = DawidSkene::default().aggregate(&Ballots::new(&votes, CLASSES)?, &mut ctx)?;
    let seconds = begin.elapsed().as_secs_f64();
    let right = consensus.labels.iter().zip(&truth).filter(|(label, truth)| label == truth).count();
    let iterations = consensus.trace.values.len();
    println!("Dawid-Skene: {seconds:.2} s, {iterations} iterations, {}", consensus.trace.status);
    println!("{:.1} million labels a second and iteration", (votes.len() * iterations) as f64 / seconds / 1e6);
    println!("accuracy {:.4}", right as f64 / tasks as f64);
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("peak memory {}", &line[6..]));
    }
    Ok(())
}

/// Votes of workers who are right with probability .5 to .9, and the truth.
fn generate(tasks: usize) -> Result<(Decisions, Vec<Label>), Box<dyn std::error::Error>> {
    let mut random = Stream::new(1).random();
    let skills: Vec<f64> = (0..WORKERS).map(|_| random.random_range(0.5..0.9)).collect();
    let mut votes = DecisionsBuilder::new();
    let mut truth = Vec::with_capacity(tasks);
    for task in 0..tasks {
        let class = random.random_range(0..CLASSES);
        let first = random.random_range(0..WORKERS);
        for step in 0..VOTES {
            // 397 and 2,400 have no common divisor: nobody votes twice.
            let worker = (first + 397 * step) % WORKERS;
            let right = random.random::<f64>() < skills[worker];
            let vote = if right { class } else { (class + random.random_range(1..CLASSES)) % CLASSES };
            votes.push(CaseId::at(task), ExpertId::at(worker), Label::at(vote));
        }
        truth.push(Label::at(class));
    }
    Ok((votes.build(tasks, WORKERS)?, truth))
}
