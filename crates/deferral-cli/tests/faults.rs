//! The process is killed at random moments, two hundred times, while events stream in: nothing that was answered is lost,
//! nothing is doubled, and in the end the journal is the one of a run that nobody disturbed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::time::Duration;

use common::Desk;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

const KILLS: usize = 200;
const TASKS: usize = 1500;
const START: &str =
    "allocate --clock events --labels no,yes --groups north,south --features 2 --experts experts.csv --journal";

fn start(desk: &Desk, journal: &str) -> Child {
    let words: Vec<&str> = START.split(' ').chain([journal, "--policy", "smooth"]).collect();
    desk.command(&words).stdin(Stdio::piped()).spawn().unwrap()
}

fn task(number: usize) -> String {
    let group = ["north", "south"][number % 2];
    let (a, b) = ((number * 37 % 100) as f64 / 50.0, (number * 61 % 100) as f64 / 50.0);
    format!(r#"{{"event":"task","task":"t{number}","features":[{a},{b}],"group":"{group}"}}"#)
}

/// Right on every task of the own group, and on a third of the others.
fn vote(task: &str, worker: &str) -> String {
    let (number, expert): (usize, usize) = (task[1..].parse().unwrap(), worker[1..].parse().unwrap());
    let is_right = number % 2 == expert % 2 || (number + expert).is_multiple_of(3);
    let label = if (number / 2).is_multiple_of(2) == is_right { "yes" } else { "no" };
    format!(r#"{{"event":"vote","task":"{task}","worker":"{worker}","label":"{label}"}}"#)
}

/// Sends tasks and the votes of whoever is asked, and keeps the lines.
fn undisturbed(desk: &Desk) -> Vec<String> {
    let mut process = start(desk, "whole.redb");
    let mut input = process.stdin.take().unwrap();
    let mut replies = BufReader::new(process.stdout.take().unwrap()).lines();
    let (mut sent, mut late) = (Vec::new(), Vec::new());
    for number in 0..TASKS {
        // Votes arrive two tasks later, so that several tasks are open at any time; lines that are sent together wait for
        // the disk together.
        let due = late.len().saturating_sub(6);
        let lines: Vec<String> = late.drain(..due).chain([task(number)]).collect();
        input.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
        sent.extend(lines);
        // Votes and labels of earlier tasks come in between.
        let reply = || serde_json::from_str::<Value>(&replies.next().unwrap().unwrap()).unwrap();
        let committee = std::iter::repeat_with(reply).find(|reply| reply["reply"] == "committee").unwrap();
        let votes = committee["workers"].as_array().unwrap().iter();
        late.extend(votes.map(|worker| vote(&format!("t{number}"), worker.as_str().unwrap())));
    }
    drop(input);
    assert!(process.wait().unwrap().success());
    sent
}

/// The event that a reply acknowledges.
fn acknowledged(reply: &Value) -> Option<(String, String)> {
    let name = |field: &str| reply[field].as_str().map(str::to_owned);
    match reply["reply"].as_str()? {
        // A task that is sent again may be decided by now.
        "committee" | "label" => Some((name("task")?, String::new())),
        "vote" => Some((name("task")?, name("worker")?)),
        _ => None,
    }
}

fn key(line: &str) -> (String, String) {
    let event: Value = serde_json::from_str(line).unwrap();
    let name = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    (name("task"), name("worker"))
}

/// Sends `lines` to a new process and kills it after `patience` replies and a moment more; how many of the lines were
/// acknowledged.
fn until_killed(desk: &Desk, lines: &[String], patience: usize, moment: Duration) -> usize {
    let mut process = start(desk, "killed.redb");
    let mut input = process.stdin.take().unwrap();
    let text = lines.join("\n") + "\n";
    // Fails when the process is killed.
    let writer = std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
    let mut replies = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut acknowledgements: Vec<_> = Vec::new();
    let mut read = |line: String| {
        // The line that the kill cut off acknowledges nothing.
        acknowledgements.extend(serde_json::from_str::<Value>(&line).ok().and_then(|reply| acknowledged(&reply)));
    };
    for _ in 0..patience {
        let Some(Ok(line)) = replies.next() else { break };
        read(line);
    }
    std::thread::sleep(moment);
    process.kill().unwrap();
    process.wait().unwrap();
    replies.map_while(Result::ok).for_each(read);
    writer.join().unwrap();
    let mut seen = acknowledgements.iter();
    lines.iter().take_while(|line| seen.any(|event| *event == key(line))).count()
}

#[test]
fn no_acknowledged_vote_is_lost_or_doubled() {
    let desk = Desk::new();
    desk.write("experts.csv", "worker\nw0\nw1\nw2\nw3\nw4\n");
    let lines = undisturbed(&desk);
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut done = 0;
    let share = lines.len() / KILLS;
    for _ in 0..KILLS {
        let patience = random.random_range(0..2 * share);
        let moment = Duration::from_micros(random.random_range(0..3000));
        // The writer may have been far ahead of the kill: more may be on the disk than was acknowledged.
        let most = (done + 4 * share).min(lines.len());
        done += until_killed(&desk, &lines[done..most], patience, moment);
    }
    assert!(done > lines.len() / 4 && done <= lines.len(), "{done} of {}", lines.len());
    let mut process = start(&desk, "killed.redb");
    let mut input = process.stdin.take().unwrap();
    let rest = lines[done..].join("\n") + "\n";
    let writer = std::thread::spawn(move || input.write_all(rest.as_bytes()).unwrap());
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Every event once and in the same order, every answer the same, bit for bit.
    assert!(desk.ok("journal export killed.redb") == desk.ok("journal export whole.redb"));
    desk.ok("journal verify killed.redb");
}
