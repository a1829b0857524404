//! Tasks of the workspace: `cargo xtask reproduce`, `fetch`, `layers`, `peers`.

mod layers;
mod peers;
mod reproduce;

use std::process::ExitCode;

const TASKS: &str = "reproduce, fetch, layers, peers";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (task, arguments) = match arguments.split_first() {
        Some((task, arguments)) => (Some(task.as_str()), arguments),
        None => (None, &[][..]),
    };
    let result = match task {
        Some("reproduce") => reproduce::reproduce(arguments),
        Some("fetch") => reproduce::fetch(arguments),
        Some("layers") => layers::run(),
        Some("peers") => peers::run(),
        Some(other) => Err(anyhow::anyhow!("there is no task `{other}`; there are: {TASKS}")),
        None => Err(anyhow::anyhow!("which task? There are: {TASKS}")),
    };
    match result {
        Ok(message) => {
            if !message.is_empty() {
                say(&message);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "a task talks to the terminal")]
fn say(text: &str) {
    println!("{text}");
}
