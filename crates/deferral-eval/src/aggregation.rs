//! Aggregating the votes of records by a named aggregator.

use deferral_core::{
    Aggregator, Ballots, Columns, Consensus, Context, Dataset, Decisions, Features, Label, Probabilities, Splitter,
};
use deferral_data::Records;

use crate::aggregators::NamedAggregator;
use crate::error::EvalError;
use crate::experiment::{FeatureChoice, features_of};
use crate::methods::FeatureKind;

/// The tasks of records as aggregators see them: names, groups and, where one of them looks at features, those.
/// Features are learned from all tasks together, labels are not looked at.
///
/// # Errors
/// If features are wanted and there are none.
pub fn tasks(
    records: &Records,
    methods: &[NamedAggregator],
    features: &FeatureChoice,
    ctx: &mut Context<'_>,
) -> Result<Dataset, EvalError> {
    let wanted = methods.iter().find(|method| method.aggregator.needs_features());
    let Some(method) = wanted else { return Ok(records.dataset(Features::none(records.n()))?) };
    if records.inputs.is_none() {
        return Err(EvalError::Nothing(format!(
            "`{}` looks at the tasks, but there is nothing to see; give --cases with a text column \
             (--column text=NAME) or numbers (--numeric)",
            method.name
        )));
    }
    let by_default = if records.inputs.text.is_some() { FeatureKind::Ngrams } else { FeatureKind::Numeric };
    let everything: Vec<usize> = (0..records.n()).collect();
    let kind = features.kind.unwrap_or(by_default);
    let featuriser = features.fit(kind, &records.inputs, &everything, &ctx.stream("features"))?;
    Ok(records.dataset(features_of(featuriser.as_ref(), records)?)?)
}

/// Aggregates `votes` on the tasks of `data`. `gold` are the labels that may be believed: none, or one entry a task.
/// With [`NamedAggregator::gold_folds`] the tasks are divided into so many folds and each is aggregated with the gold
/// of the others; labels and probabilities are then put together from all folds, and what is believed of workers and
/// classes, and the trace, are those with all gold.
///
/// # Errors
/// As the aggregator; or if it wants gold and there is none.
pub fn aggregate(
    data: &Dataset,
    votes: &Decisions,
    method: &NamedAggregator,
    gold: &[Option<Label>],
    ctx: &mut Context<'_>,
) -> Result<Consensus, EvalError> {
    let ballots = Ballots::new(votes, data.k())?.with_cases(data.cases())?;
    if method.gold_folds == 0 {
        let ballots = if gold.is_empty() { ballots } else { ballots.with_gold(gold)? };
        return Ok(method.aggregator.aggregate(&ballots, &mut ctx.part("aggregate"))?);
    }
    let truth = data.cases().labels();
    if truth.iter().all(Option::is_none) {
        let name = &method.name;
        return Err(EvalError::Nothing(format!("`{name}` learns from gold labels, but no task has one")));
    }
    let splitter = Splitter::ShuffledFolds { k: method.gold_folds };
    let splits = splitter.split(data.cases(), None, &ctx.stream("gold folds"))?;
    let (mut labels, mut probabilities) = (vec![Label::default(); data.n()], Columns::zeros(data.k(), data.n()));
    for split in splits {
        let mut known = truth.to_vec();
        split.test.iter().for_each(|&task| known[task] = None);
        let consensus = method.aggregator.aggregate(&ballots.with_gold(&known)?, &mut ctx.part("aggregate"))?;
        for &task in &split.test {
            labels[task] = consensus.labels[task];
            probabilities.column_mut(task).copy_from_slice(consensus.probabilities.column(task));
        }
    }
    let taught = method.aggregator.aggregate(&ballots.with_gold(truth)?, &mut ctx.part("aggregate"))?;
    Ok(Consensus { labels, probabilities: Probabilities(probabilities), ..taught })
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Cases, Names, Silent, Stream};

    #[test]
    fn with_folds_of_gold_the_workers_are_those_with_all_gold() {
        let truth = |task: u32| Label((task % 2) as u16);
        let cases = Cases::new(Names::numbered("t", 30), Features::none(30)).unwrap();
        let cases = cases.with_labels((0..30).map(|task| Some(truth(task))).collect()).unwrap();
        let vote =
            |task: u32, worker: u32| if (task + worker).is_multiple_of(4) { 1 - truth(task).0 } else { truth(task).0 };
        let votes = (0..30).flat_map(|task| (0..3).map(move |worker| (task, worker, vote(task, worker))));
        let votes = Decisions::from_triples(30, 3, votes).unwrap();
        let data = Dataset::new(cases, votes, Names::numbered("", 2), Names::numbered("w", 3)).unwrap();
        let found = |method: &str, gold: &[Option<Label>]| {
            let mut silent = Silent;
            let mut ctx = Context::new(Stream::new(1), &mut silent);
            let method = NamedAggregator::parse(method, None).unwrap();
            aggregate(&data, data.decisions(), &method, gold, &mut ctx).unwrap()
        };
        let folds = found("hierarchical:gold=3", &[]);
        let everything = found("hierarchical", data.cases().labels());
        assert_eq!((&folds.workers, &folds.trace), (&everything.workers, &everything.trace));
        assert_eq!((&folds.skills, &folds.prior), (&everything.skills, &everything.prior));
        assert_ne!(folds.probabilities, everything.probabilities);
    }
}
