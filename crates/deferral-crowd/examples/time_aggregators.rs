//! Times aggregators on a table of task, worker, label: for each a line of method, seconds (median of five) and label
//! of each task.
//!
//! `cargo run --release -p deferral-crowd --example time_aggregators -- labels.csv` with whole numbers from 0 in all
//! three columns, under a header.
#![allow(clippy::print_stdout, reason = "an example talks to the terminal")]

use std::time::Instant;

use deferral_core::{Aggregator, Ballots, Context, Decisions, Silent, Stream};
use deferral_crowd::{DawidSkene, Glad, Mace, Majority, OneCoin, Wawa, ZeroBasedSkill};

const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which table? Give its file")?;
    let text = std::fs::read_to_string(&path)?;
    let votes = text.lines().skip(1).map(triple).collect::<Result<Vec<_>, _>>()?;
    let most = |part: fn(&(u32, u32, u16)) -> usize| votes.iter().map(part).max().map_or(0, |most| most + 1);
    let (n, m, classes) = (most(|v| v.0 as usize), most(|v| v.1 as usize), most(|v| usize::from(v.2)));
    let decisions = Decisions::from_triples(n, m, votes)?;
    let ballots = Ballots::new(&decisions, classes)?;
    let methods: [(&str, Box<dyn Aggregator>); 7] = [
        ("majority", Box::new(Majority::default())),
        ("wawa", Box::new(Wawa::default())),
        ("zero-based-skill", Box::new(ZeroBasedSkill::default())),
        ("dawid-skene", Box::new(DawidSkene::default())),
        ("one-coin", Box::new(OneCoin::default())),
        ("glad", Box::new(Glad::default())),
        ("mace", Box::new(Mace::default())),
    ];
    for (name, method) in methods {
        let mut seconds = Vec::with_capacity(RUNS);
        let mut labels = Vec::new();
        for _ in 0..RUNS {
            let mut silent = Silent;
            let mut ctx = Context::new(Stream::new(1), &mut silent);
            let begin = Instant::now();
            labels = method.aggregate(&ballots, &mut ctx)?.labels;
            seconds.push(begin.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let labels: Vec<String> = labels.iter().map(|label| label.0.to_string()).collect();
        println!("{name} {} {}", seconds[RUNS / 2], labels.join(","));
    }
    Ok(())
}

fn triple(line: &str) -> Result<(u32, u32, u16), Box<dyn std::error::Error>> {
    let mut cells = line.split(',');
    let mut cell = || cells.next().ok_or_else(|| format!("not task,worker,label: {line}"));
    Ok((cell()?.parse()?, cell()?.parse()?, cell()?.parse()?))
}
