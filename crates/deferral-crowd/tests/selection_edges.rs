//! What every way of selecting workers makes of tables that hold next to nothing: a sensible policy or a clear message.
#![allow(clippy::unwrap_used)]

use deferral_core::*;
use deferral_crowd::online::{Follow, LinUcb, LinearThompson, MultiplicativeWeights, OnlineMethod, Setting, Streamed};
use deferral_crowd::selection::fair_shares::{Limits, Quota};
use deferral_crowd::selection::li_liu::{Objective, Size};
use deferral_crowd::{
    CrowdSelect, CrowdSelectRule, EpsilonFirst, EpsilonGreedy, ErrorModel, Goal, GoelFaltings, GoelFaltingsLoop, LiLiu,
    Thompson, Ucb,
};
use deferral_models::Classifier;

/// A table with its true labels, in two groups by turns; the only feature is the case's number.
struct Edge {
    name: &'static str,
    workers: usize,
    classes: usize,
    truth: Vec<Option<u16>>,
    votes: Vec<(u32, u32, u16)>,
    expected: Expected,
}

enum Expected {
    /// Every method fits and decides at least this share of the cases rightly.
    Accuracy(f64),
    /// No method fits, and all say this.
    Refusal(&'static str),
}

impl Edge {
    fn cases(&self) -> usize {
        self.truth.len()
    }

    fn data(&self) -> Dataset {
        let n = self.cases();
        let features = Features::dense(Columns::from_values(1, (0..n).map(|case| case as f64).collect())).unwrap();
        let labels = self.truth.iter().map(|label| label.map(Label)).collect();
        let group = GroupAttribute::from_values("group", (0..n).map(|case| if case % 4 < 2 { "a" } else { "b" }));
        let cases = Cases::new(Names::numbered("case", n), features).unwrap();
        let cases = cases.with_labels(labels).unwrap().with_group(group).unwrap();
        let decisions = Decisions::from_triples(n, self.workers, self.votes.clone()).unwrap();
        let names = (Names::numbered("label", self.classes), Names::numbered("worker", self.workers));
        Dataset::new(cases, decisions, names.0, names.1).unwrap()
    }
}

/// `n` cases, and on each the vote of every worker that `vote` gives.
fn edge(
    name: &'static str,
    (n, workers, classes): (usize, usize, usize),
    truth: impl Fn(usize) -> u16,
    vote: impl Fn(usize, usize) -> Option<u16>,
    accuracy: f64,
) -> Edge {
    let pairs = (0..n).flat_map(|case| (0..workers).map(move |worker| (case, worker)));
    let votes = pairs.filter_map(|(case, worker)| Some((case as u32, worker as u32, vote(case, worker)?))).collect();
    let truth = (0..n).map(|case| Some(truth(case))).collect();
    Edge { name, workers, classes, truth, votes, expected: Expected::Accuracy(accuracy) }
}

fn edges() -> Vec<Edge> {
    let turns = |case: usize| (case % 2) as u16;
    let right = |case: usize, _: usize| Some((case % 2) as u16);
    let refused = |message, edge| Edge { expected: Expected::Refusal(message), ..edge };
    let unlabelled = Edge { truth: vec![None; 6], ..edge("no labels", (6, 2, 2), turns, right, 0.0) };
    let few = "learning needs at least two classes";
    vec![
        refused("no expert decided any training case", edge("no votes", (6, 2, 2), turns, |_, _| None, 0.0)),
        refused("this learner needs a label for every training case", unlabelled),
        refused(few, edge("one task, one worker", (1, 1, 2), |_| 1, |_, _| Some(1), 0.0)),
        refused(few, edge("one task", (1, 3, 2), |_| 1, |_, worker| Some(u16::from(worker != 1)), 0.0)),
        refused(few, edge("all votes and labels equal", (40, 3, 2), |_| 1, |_, _| Some(1), 0.0)),
        refused(few, edge("a single class", (10, 2, 1), |_| 0, |_, _| Some(0), 0.0)),
        // One of the methods may pay for half of the cases only; the classifier guesses the others.
        edge("one worker", (40, 1, 2), turns, right, 0.7),
        edge("two tasks", (2, 2, 2), turns, right, 0.5),
        edge("all votes equal", (40, 3, 2), turns, |_, _| Some(1), 0.4),
        edge("a worker with a single label", (40, 2, 2), turns, |c, w| (w == 0 || c == 3).then_some(turns(c)), 0.7),
        edge("a worker without any", (40, 2, 2), turns, |case, worker| (worker == 0).then_some(turns(case)), 0.7),
        edge("a class nobody votes for", (40, 2, 3), turns, right, 0.7),
        edge("a class nobody sees", (40, 2, 3), |case| (case % 3) as u16, |c, _| Some((c % 2) as u16), 0.2),
        edge("everybody always wrong", (40, 2, 2), turns, |case, _| Some(1 - turns(case)), 0.0),
    ]
}

/// Fits, weighs and decides; what a policy says must be numbers, and verdicts labels.
type Run = Box<dyn Fn(&Dataset) -> Result<Vec<Outcome>, FitError>>;

fn run<L: Learner + 'static>(learner: L, rule: impl Fn(&L, usize) -> Box<dyn Consultation> + 'static) -> Run {
    Box::new(move |data| {
        let mut silent = Silent;
        let mut ctx = Context::new(Stream::new(5), &mut silent);
        let policy = learner.fit(data, &CaseWeights::uniform(data.n()), &mut ctx)?;
        let beliefs = (policy.classify(data.cases()).unwrap(), policy.weigh(data.cases()).unwrap());
        assert!(beliefs.1.iter().flatten().all(|weight| weight.is_finite() && *weight >= 0.0));
        let (rule, mut source) = (rule(&learner, data.m()), Recorded::new(data.decisions(), Absent::Unavailable));
        let beliefs = (&beliefs.0, &beliefs.1);
        Ok(consult(0..data.n(), beliefs, &*rule, &mut source, None, &Stream::new(6)).unwrap())
    })
}

fn streamed<M: OnlineMethod + 'static>(method: M) -> Run {
    run(Streamed { method, classifier: Classifier::default() }, |learner, _| Box::new(learner.committee()))
}

fn methods() -> Vec<(&'static str, Run)> {
    let li_liu = |method: LiLiu| run(method, |learner, m| Box::new(learner.committee(m)));
    let crowd_select = |errors, goal| {
        run(CrowdSelect { errors, ..Default::default() }, move |_, _| Box::new(CrowdSelectRule { goal, prices: None }))
    };
    let goel_faltings = |method: GoelFaltings| run(method, |learner, _| Box::new(learner.committee()));
    let epsilon_first = |method: EpsilonFirst| run(method, |learner, m| Box::new(learner.rule(m).unwrap()));
    let limits = Limits { max_share: Some(vec![0.6]), budget: Some(0.5), ..Limits::default() };
    let random = MultiplicativeWeights { follow: Follow::Random { k: 1 }, ..Default::default() };
    vec![
        ("ll", li_liu(LiLiu { size: Size::Exactly { k: 1 }, ..Default::default() })),
        (
            "ll, at most",
            li_liu(LiLiu { size: Size::AtMost { k: 5 }, objective: Objective::Ratio, ..Default::default() }),
        ),
        ("ll, budget", li_liu(LiLiu { budget: Some(2.0), ..Default::default() })),
        ("crowd-select", crowd_select(ErrorModel::default(), Goal::default())),
        ("crowd-select, neighbours", crowd_select(ErrorModel::Neighbours { k: 25 }, Goal::Budget { budget: 2.0 })),
        ("crowd-select, recent", crowd_select(ErrorModel::Recent { decay: 0.95 }, Goal::ErrorBound { error: 0.1 })),
        ("goel-faltings", goel_faltings(GoelFaltings::default())),
        ("goel-faltings, limits", goel_faltings(GoelFaltings { limits, ..Default::default() })),
        (
            "goel-faltings, groups",
            goel_faltings(GoelFaltings { attribute: Some("group".into()), ..Default::default() }),
        ),
        ("epsilon-first", epsilon_first(EpsilonFirst::default())),
        ("epsilon-first, budget", epsilon_first(EpsilonFirst { budget: Some(400.0), ..Default::default() })),
        ("weights", streamed(MultiplicativeWeights::default())),
        ("random weights", streamed(random)),
        ("epsilon-greedy", streamed(EpsilonGreedy::default())),
        ("ucb", streamed(Ucb::default())),
        ("thompson", streamed(Thompson::default())),
        ("lin-ucb", streamed(LinUcb::default())),
        ("linear-thompson", streamed(LinearThompson::default())),
    ]
}

#[test]
fn tables_of_next_to_nothing_give_a_policy_or_a_message() {
    for edge in edges() {
        let data = edge.data();
        for (name, method) in methods() {
            let place = format!("{name}, {}", edge.name);
            match (method(&data), &edge.expected) {
                (Ok(outcomes), Expected::Accuracy(least)) => {
                    let sure = |outcome: &Outcome| (0.0..=1.0).contains(&outcome.verdict.confidence);
                    let right = |(o, truth): &(&Outcome, &Option<u16>)| Some(o.verdict.label.0) == **truth;
                    assert!(outcomes.iter().all(|o| sure(o) && o.verdict.label.index() < edge.classes), "{place}");
                    let accuracy = outcomes.iter().zip(&edge.truth).filter(right).count() as f64 / data.n() as f64;
                    assert!(accuracy >= *least, "{place}: {accuracy}");
                }
                (Err(error), Expected::Refusal(message)) => {
                    assert!(error.to_string().contains(message), "{place}: {error}");
                }
                (Ok(_), Expected::Refusal(_)) => panic!("{place}: is not refused"),
                (Err(error), Expected::Accuracy(_)) => panic!("{place}: {error}"),
            }
        }
    }
}

/// Every allocator for m workers and K classes, asking about a case of the one feature.
fn allocators(m: usize, classes: usize) -> Vec<(&'static str, Box<dyn Allocator>)> {
    fn start<M: OnlineMethod<State: 'static>>(method: &M, m: usize) -> Box<dyn Allocator> {
        Box::new(method.start(&Setting { features: 1, ..Setting::new(m) }).unwrap())
    }
    let limits = Limits { budget: Some(1.5), ..Limits::default() };
    let looped = |method: GoelFaltingsLoop, groups| Box::new(method.start(m, classes, groups).unwrap());
    let capacity = EpsilonFirst { capacity: Some(7), ..EpsilonFirst::default() };
    vec![
        ("goel-faltings", looped(GoelFaltingsLoop { batch: 3, ..Default::default() }, None)),
        ("goel-faltings, budget", looped(GoelFaltingsLoop { batch: 1, limits, k: 1 }, Some(2))),
        ("epsilon-first", Box::new(capacity.online(m).unwrap())),
        ("weights", start(&MultiplicativeWeights::default(), m)),
        ("epsilon-greedy", start(&EpsilonGreedy::default(), m)),
        ("ucb", start(&Ucb::default(), m)),
        ("thompson", start(&Thompson::default(), m)),
        ("lin-ucb", start(&LinUcb::default(), m)),
        ("linear-thompson", start(&LinearThompson::default(), m)),
    ]
}

#[test]
fn streams_of_next_to_nothing_are_allocated_and_learned_from() {
    for edge in edges() {
        let data = edge.data();
        for (name, mut allocator) in allocators(edge.workers, edge.classes) {
            for case in 0..data.n() {
                let votes = data.decisions().of_case(CaseId::at(case));
                let (features, group) = ([case as f64], Some(GroupId::at(case % 4 / 2)));
                let view = CaseView { case: CaseId::at(case), features: &features, group };
                let asked = allocator.allocate(view, votes.ids, &mut Stream::new(4).at(case));
                assert!(asked.iter().all(|q| votes.ids.contains(&q.expert)), "{name}, {}", edge.name);
                let answers =
                    votes.iter().filter(|(expert, _)| asked.iter().any(|question| question.expert == *expert));
                let answers: Vec<Vote> = answers.map(|(expert, label)| Vote { expert, label }).collect();
                let label = allocator.learn(view, &answers);
                let of_somebody = |label: Label| answers.iter().any(|vote| vote.label == label);
                assert_eq!(label.is_some_and(of_somebody), !answers.is_empty(), "{name}, {}", edge.name);
            }
        }
    }
}

#[test]
fn parity_that_nobody_can_meet_is_relaxed_and_reported() {
    // The quota lets nobody but the one worker decide: who always says 1, or is right in one group only.
    let turns = |case: usize| (case % 2) as u16;
    let of_group = |case: usize, _: usize| Some(if case % 4 < 2 { turns(case) } else { 1 - turns(case) });
    let tables = [
        (edge("always 1", (40, 1, 2), turns, |_, _| Some(1), 0.0), None),
        (edge("half", (40, 1, 2), turns, of_group, 0.0), Some("group".to_owned())),
    ];
    for (edge, attribute) in tables {
        let data = edge.data();
        let diversity = vec![Quota { members: vec![0], share: 1.0 }];
        let limits = Limits { diversity, ..Limits::default() };
        let mut history = History::default();
        let mut ctx = Context::new(Stream::new(1), &mut history);
        let method = GoelFaltings { limits, attribute, ..GoelFaltings::default() };
        let policy = method.fit(&data, &CaseWeights::uniform(data.n()), &mut ctx).unwrap();
        assert!(policy.weigh(data.cases()).unwrap().iter().all(|shares| (shares[0] - 1.0).abs() < 1e-9));
        let note = Event::Note("no policy keeps error rates within 0.1: relaxed to 1".to_owned());
        assert!(history.0.contains(&note), "{}: {:?}", edge.name, history.0);
    }
}
