//! The posts: short sentences put together from word lists. Dialects, slang and insults are made up.

use deferral_core::{Names, Random};
use rand::RngExt;

use super::draw_share;

/// Position of the dialect that text models and moderators misjudge.
pub(super) const DISADVANTAGED: usize = 1;

struct Dialect {
    name: &'static str,
    share: f64,
    openers: &'static [&'static str],
    closers: &'static [&'static str],
}

struct Topic {
    name: &'static str,
    subjects: &'static [&'static str],
    remarks: &'static [&'static str],
}

const DIALECTS: [Dialect; 3] = [
    Dialect {
        name: "inland",
        share: 0.5,
        openers: &["well", "honestly", "so", "hello all", "just saying", "to be fair"],
        closers: &["that is all", "anyway", "have a good day", "just my view"],
    },
    Dialect {
        name: "harbour",
        share: 0.3,
        openers: &["ahn", "oyn kedder", "blim me", "zonta", "ey lubby", "ahn kedder"],
        closers: &["kedder", "by the blim", "zonta zonta", "lubby"],
    },
    Dialect {
        name: "hill",
        share: 0.2,
        openers: &["wendle now", "hae brack", "ockfen", "brackly", "wend up"],
        closers: &["brack", "wendle on", "over the fen", "so it fens"],
    },
];

const TOPICS: [Topic; 3] = [
    Topic {
        name: "sport",
        subjects: &[
            "the match",
            "that second goal",
            "the new coach",
            "our goalkeeper",
            "the relay team",
            "the referee",
        ],
        remarks: &[
            "was late again",
            "looked slow to me",
            "changed everything",
            "needs another season",
            "ran all night",
        ],
    },
    Topic {
        name: "cooking",
        subjects: &["the turnip soup", "my walnut bread", "that cabbage stew", "the pudding recipe", "the noodle bar"],
        remarks: &["took three hours", "needs more salt", "was better cold", "came out flat", "fed the whole street"],
    },
    Topic {
        name: "traffic",
        subjects: &["the ring road", "that bus lane", "the ferry line", "the new roundabout", "the night train"],
        remarks: &["is closed again", "was full by seven", "saves me ten minutes", "makes no sense", "runs on sundays"],
    },
];

/// How a post sounds, which is not what it is: mock insults are friendly, polite words can sting.
#[derive(Clone, Copy)]
enum Tone {
    Kind,
    Snide,
    Hostile,
}

const TONES: [Tone; 3] = [Tone::Kind, Tone::Snide, Tone::Hostile];

/// The shares of the tones by severity of the post.
const TONE_SHARES: [[f64; 3]; 3] = [[0.78, 0.16, 0.06], [0.14, 0.72, 0.14], [0.05, 0.17, 0.78]];
/// The same for harmless posts in the disadvantaged dialect, where friends call each other names.
const BANTER_SHARES: [f64; 3] = [0.50, 0.16, 0.34];

const KIND: &[&str] = &[
    "thanks for the tip",
    "that made me smile",
    "fair point and well put",
    "i could not agree more",
    "good on you for trying",
    "lovely of you to share",
    "you explained it well",
    "glad you wrote this",
];
const SNIDE: &[&str] = &[
    "if you say so",
    "whatever helps you sleep",
    "did nobody teach you better",
    "bold words for a beginner",
    "sure you did",
    "try reading it again",
    "you would think that",
    "what else did we expect from you",
];
/// `@` stands for an insult, `~` for how bad it is.
const HOSTILE: &[&str] = &[
    "you absolute @",
    "what a ~ @ you are",
    "go home you ~ @",
    "only a @ talks like that",
    "nobody asked you @",
    "you ~ @",
    "shut it you @",
    "typical @ nonsense",
];
const INSULTS: &[&str] = &[
    "turnip", "doorknob", "teapot", "walnut", "wet sock", "cabbage", "noodle", "pudding", "dishrag", "bucket", "gnome",
    "crumpet",
];
const BAD: &[&str] = &["soggy", "useless", "hollow", "rusty", "mouldy", "witless"];

/// Endings that hint at what a post is: each severity has its own.
const HINTS: [&[&str]; 3] = [
    &["haha", "see you there", "my friend", "cheers"],
    &["no offence", "just joking", "think about it", "not that it matters"],
    &["get lost", "do not come back", "i mean it", "we all laugh at you"],
];
/// How often a post ends with a hint, and how often with one of its own severity.
const HINTED: f64 = 0.5;
const HINT_HOLDS: f64 = 0.75;

/// How often the parts of a dialect are heard.
const OPENED: f64 = 0.75;
const CLOSED: f64 = 0.4;
/// How often an insult is misspelt to get past a filter.
const DISGUISED: f64 = 0.15;

pub(super) fn dialects() -> Names {
    DIALECTS.iter().map(|dialect| dialect.name).collect()
}

pub(super) fn dialect_shares() -> impl Iterator<Item = f64> {
    DIALECTS.iter().map(|dialect| dialect.share)
}

pub(super) fn topics() -> Names {
    TOPICS.iter().map(|topic| topic.name).collect()
}

/// Writes a post of `severity` 0 to 2.
pub(super) fn write(severity: usize, dialect: usize, topic: usize, rng: &mut Random) -> String {
    let (voice, subject) = (&DIALECTS[dialect], &TOPICS[topic]);
    let mut parts: Vec<String> = Vec::new();
    if rng.random_bool(OPENED) {
        parts.push(pick(voice.openers, rng).to_owned());
    }
    parts.push(format!("{} {}", pick(subject.subjects, rng), pick(subject.remarks, rng)));
    parts.push(speak(draw_tone(severity, dialect, rng), rng));
    if rng.random_bool(HINTED) {
        let hint = if rng.random_bool(HINT_HOLDS) { severity } else { rng.random_range(0..HINTS.len()) };
        parts.push(pick(HINTS[hint], rng).to_owned());
    }
    if rng.random_bool(CLOSED) {
        parts.push(pick(voice.closers, rng).to_owned());
    }
    parts.join(", ")
}

fn draw_tone(severity: usize, dialect: usize, rng: &mut Random) -> Tone {
    let banter = severity == 0 && dialect == DISADVANTAGED;
    let shares = if banter { BANTER_SHARES } else { TONE_SHARES[severity] };
    TONES[draw_share(shares.into_iter(), rng)]
}

fn speak(tone: Tone, rng: &mut Random) -> String {
    match tone {
        Tone::Kind => pick(KIND, rng).to_owned(),
        Tone::Snide => pick(SNIDE, rng).to_owned(),
        Tone::Hostile => {
            let insult = pick(INSULTS, rng);
            let insult = if rng.random_bool(DISGUISED) { disguise(insult) } else { insult.to_owned() };
            pick(HOSTILE, rng).replace('~', pick(BAD, rng)).replace('@', &insult)
        }
    }
}

/// Digits for the letters that look like them.
fn disguise(word: &str) -> String {
    word.chars()
        .map(|c| match c {
            'i' => '1',
            'e' => '3',
            'o' => '0',
            'u' => 'v',
            other => other,
        })
        .collect()
}

fn pick<'a>(list: &[&'a str], rng: &mut Random) -> &'a str {
    list[rng.random_range(0..list.len())]
}
