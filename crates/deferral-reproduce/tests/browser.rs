//! Pages in a real browser, 400 and 1,400 pixels wide: nothing sticks out, overlaps or is too small to be read.
//!
//! Where no Chromium is installed this says so and checks nothing, unless `DEFERRAL_REQUIRE_BROWSER` is set.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod reported;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reported::{found, plan, write};

const WIDTHS: [u32; 2] = [400, 1400];

/// Measures a page in a frame as wide as the window should be, since windows of Chromium have a least width.
const MEASURE: &str = r#"<!doctype html><meta charset="utf-8"><body style="margin:0"><pre id="result">no answer</pre>
<iframe id="frame" width="WIDTH" height="1500" style="border:0" src="PAGE"></iframe>
<script>
document.getElementById("frame").addEventListener("load", () => {
  const inner = document.getElementById("frame").contentDocument, root = inner.documentElement, problems = [];
  const all = selector => [...inner.querySelectorAll(selector)];
  const name = element => element.tagName + " " + (element.textContent || "").trim().slice(0, 40);
  if (root.scrollWidth > WIDTH) problems.push("the page is " + root.scrollWidth + " wide");
  for (const element of all("body *")) {
    if (element.closest(".scroll") && !element.matches(".scroll")) continue;
    const box = element.getBoundingClientRect();
    if (box.right > WIDTH + 1 || box.left < -1) problems.push(name(element) + " sticks out to " + box.right);
  }
  for (const svg of all("svg")) {
    const frame = svg.getBoundingClientRect();
    if (frame.width <= 250) problems.push("a drawing is " + frame.width + " wide");
    for (const text of svg.querySelectorAll("text")) {
      const scale = Math.hypot(text.getScreenCTM().b, text.getScreenCTM().d);
      const size = scale * parseFloat(inner.defaultView.getComputedStyle(text).fontSize);
      if (size < 9) problems.push(name(text) + " is " + size + " high");
      const box = text.getBoundingClientRect();
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
        problems.push(name(text) + " leaves its drawing");
    }
  }
  const blocks = all("main > *");
  blocks.slice(1).forEach((block, at) => {
    const above = blocks[at].getBoundingClientRect(), below = block.getBoundingClientRect();
    if (below.top < above.bottom - 1) problems.push(name(block) + " overlaps what is above it");
  });
  for (const scroll of all(".scroll")) {
    const table = scroll.querySelector("table").getBoundingClientRect(), box = scroll.getBoundingClientRect();
    if (table.bottom > box.bottom + 1 && scroll.scrollHeight <= scroll.clientHeight) problems.push("a table is cut off");
    if (table.right > box.right + 1 && scroll.scrollWidth <= scroll.clientWidth) problems.push("a table is cut off");
  }
  const counted = all("svg").length + " drawings, " + all("table").length + " tables";
  document.getElementById("result").textContent = "measured " + counted + ": " + (problems.join("; ") || "all well");
});
</script>"#;

/// The browser: what `CHROMIUM` names, or the first of the usual names that is on the path.
fn chromium() -> Option<PathBuf> {
    if let Some(named) = env::var_os("CHROMIUM") {
        return Some(PathBuf::from(named));
    }
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file())
}

/// What a page holds after it was loaded and measured.
fn dump(browser: &Path, page: &Path, width: u32) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ])
        .args(["--allow-file-access-from-files", "--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size={},2000", width.max(500)))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What is wrong with a page of a folder when it is so wide; `all well` if nothing is.
fn measured(browser: &Path, folder: &Path, page: &str, width: u32) -> String {
    let wrapper = folder.join(format!("measure-{width}-{page}"));
    fs::write(&wrapper, MEASURE.replace("WIDTH", &width.to_string()).replace("PAGE", page)).unwrap();
    let dom = dump(browser, &wrapper, width);
    let result = dom.split("<pre id=\"result\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    result.unwrap_or("no answer").to_owned()
}

#[test]
#[expect(clippy::print_stdout, reason = "what was not checked must be said")]
fn pages_look_right_on_a_telephone_and_on_a_desk() {
    let Some(browser) = chromium() else {
        assert!(env::var_os("DEFERRAL_REQUIRE_BROWSER").is_none(), "no Chromium is installed; name it with CHROMIUM");
        println!("not checked: no Chromium is installed; name it with CHROMIUM");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(true);
    let written = write(&plan, &found(&plan, 2), folder.path());
    let pages: Vec<&PathBuf> = written.iter().filter(|path| path.extension().is_some_and(|e| e == "html")).collect();
    assert_eq!(pages.len(), 3);
    for page in pages {
        let name = page.file_name().unwrap().to_string_lossy();
        for width in WIDTHS {
            let result = measured(&browser, folder.path(), &name, width);
            assert!(result.starts_with("measured ") && result.ends_with(": all well"), "{name} at {width}: {result}");
        }
    }
    // The measuring itself: a page with all of these faults.
    let wrong = "<main><div style='width:900px'>wide</div><div style='height:9px'>a<br>b<table><tr><td>c</table></div>\
                 <p style='margin-top:-9px'>over</p><svg width='100' viewBox='0 0 460 100'><text x='400'>leaves it</text></svg></main>";
    fs::write(folder.path().join("wrong.html"), format!("<!doctype html>{wrong}")).unwrap();
    let result = measured(&browser, folder.path(), "wrong.html", 400);
    for fault in
        ["the page is 9", "DIV wide sticks out", "overlaps", "a drawing is 100 wide", " high", "leaves its drawing"]
    {
        assert!(result.contains(fault), "{fault}: {result}");
    }
}
