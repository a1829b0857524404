//! Tasks of the workspace: `cargo xtask layers`.

mod layers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let task = std::env::args().nth(1);
    let result = match task.as_deref() {
        Some("layers") => layers::run(),
        Some(other) => Err(anyhow::anyhow!("there is no task `{other}`; there is: layers")),
        None => Err(anyhow::anyhow!("which task? There is: layers")),
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
