//! Inputs of the benchmarks, made from seeds.

use deferral_core::{Columns, Dataset, Decisions, Features, Label, Names, Stream};
use rand::RngExt;

/// `n` cases with `d` features, two classes, and `m` experts who decided every case.
///
/// # Panics
/// Never, unless core refuses what is generated here.
pub fn complete(n: usize, d: usize, m: usize) -> Dataset {
    let mut random = Stream::new(7).random();
    let values: Vec<f64> = (0..n * d).map(|_| random.random::<f64>() * 2.0 - 1.0).collect();
    let labels: Vec<Label> = (0..n).map(|i| Label(u16::from(values[i * d] + values[i * d + 1] > 0.0))).collect();
    let votes = (0..n).flat_map(|i| (0..m).map(move |e| (i, e)));
    let votes: Vec<(u32, u32, u16)> = votes
        .map(|(i, e)| {
            let right = random.random::<f64>() < 0.6 + 0.4 * e as f64 / m as f64;
            (i as u32, e as u32, if right { labels[i].0 } else { 1 - labels[i].0 })
        })
        .collect();
    build(values, d, labels, votes, m).unwrap_or_else(|error| panic!("the benchmark's own data: {error}"))
}

fn build(
    values: Vec<f64>,
    d: usize,
    labels: Vec<Label>,
    votes: Vec<(u32, u32, u16)>,
    m: usize,
) -> Result<Dataset, Box<dyn std::error::Error>> {
    let n = labels.len();
    let decisions = Decisions::from_triples(n, m, votes)?;
    let features = Features::dense(Columns::from_values(d, values))?;
    let cases = deferral_core::Cases::new(Names::numbered("c", n), features)?;
    let cases = cases.with_labels(labels.into_iter().map(Some).collect())?;
    Ok(Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("e", m))?)
}
