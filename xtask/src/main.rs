//! Tasks of the workspace: `cargo xtask layers`, `cargo xtask peers`.

mod layers;
mod peers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let task = std::env::args().nth(1);
    let result = match task.as_deref() {
        Some("layers") => layers::run(),
        Some("peers") => peers::run(),
        Some(other) => Err(anyhow::anyhow!("there is no task `{other}`; there are: layers, peers")),
        None => Err(anyhow::anyhow!("which task? There are: layers, peers")),
    };
    match result {
        Ok(message) => {
            say(&message);
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
