//! Who decided what: sparse, by case and by expert. Missing is missing, never label 0.

use serde::{Deserialize, Serialize};

use crate::ids::{CaseId, ExpertId, Label};

/// One expert's answer to one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who answered.
    pub expert: ExpertId,
    /// What.
    pub label: Label,
}

/// Past decisions of m experts on n cases, stored twice: rows by case and rows by expert.
///
/// 12 bytes a decision and 8 a case and an expert; building takes 16 bytes a decision at its peak and
/// O(decisions + n + m) time. Within a row the entries are sorted by id.
///
/// ```
/// use deferral_core::{CaseId, Decisions, ExpertId, Label};
/// let decisions = Decisions::from_triples(2, 3, [(0, 2, 1), (0, 0, 1), (1, 0, 0)])?;
/// assert_eq!(decisions.len(), 3);
/// assert_eq!(decisions.get(CaseId(0), ExpertId(2)), Some(Label(1)));
/// assert_eq!(decisions.get(CaseId(1), ExpertId(2)), None);
/// assert_eq!(decisions.of_case(CaseId(0)).ids, [ExpertId(0), ExpertId(2)]);
/// # Ok::<(), deferral_core::DecisionsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decisions {
    by_case: Rows<ExpertId>,
    by_expert: Rows<CaseId>,
    /// How sure the experts said they were, in the order of the rows by case; empty if nobody said.
    confidences: Vec<Option<f64>>,
}

/// A row of decisions: ids and labels side by side, sorted by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a, Id> {
    /// Who decided (row of a case) or what was decided on (row of an expert).
    pub ids: &'a [Id],
    /// The labels, in the same order.
    pub labels: &'a [Label],
}

impl<'a, Id: Copy> Row<'a, Id> {
    /// Number of decisions in the row.
    pub fn len(&self) -> usize {
        self.ids.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
    /// The (id, label) pairs.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Id, Label)> + 'a {
        self.ids.iter().copied().zip(self.labels.iter().copied())
    }
}

/// Why decisions were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionsError {
    /// The same expert decided the same case twice.
    #[error(
        "decisions {first} and {second} (counted from 0) are both of expert {} on case {}; keep one of them",
        expert.0, case.0
    )]
    Duplicate {
        /// The case.
        case: CaseId,
        /// The expert.
        expert: ExpertId,
        /// Position of the earlier decision among those pushed.
        first: usize,
        /// Position of the later one.
        second: usize,
    },
    /// A case or an expert lies outside the given numbers.
    #[error("decision {at} names case {} of {cases} and expert {} of {experts}", case.0, expert.0)]
    OutOfRange {
        /// Position of the decision among those pushed.
        at: usize,
        /// The case.
        case: CaseId,
        /// The expert.
        expert: ExpertId,
        /// Number of cases.
        cases: usize,
        /// Number of experts.
        experts: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Rows<Id> {
    starts: Vec<usize>,
    ids: Vec<Id>,
    labels: Vec<Label>,
}

impl<Id: Copy + Default> Rows<Id> {
    /// Counting sort of (row, id, label) entries, stable, so that entries keep their order within a row.
    fn gather(rows: usize, entries: impl Iterator<Item = (usize, Id, Label)> + Clone) -> Self {
        let mut starts = vec![0usize; rows + 1];
        let mut total = 0;
        for (row, _, _) in entries.clone() {
            starts[row + 1] += 1;
            total += 1;
        }
        for row in 0..rows {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut ids = vec![Id::default(); total];
        let mut labels = vec![Label::default(); total];
        for (row, id, label) in entries {
            ids[next[row]] = id;
            labels[next[row]] = label;
            next[row] += 1;
        }
        Self { starts, ids, labels }
    }

    fn row(&self, row: usize) -> Row<'_, Id> {
        match (self.starts.get(row), self.starts.get(row + 1)) {
            (Some(&start), Some(&end)) => Row { ids: &self.ids[start..end], labels: &self.labels[start..end] },
            _ => Row { ids: &[], labels: &[] },
        }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, Id, Label)> + Clone {
        let ends = self.starts.iter().skip(1);
        self.starts
            .iter()
            .zip(ends)
            .enumerate()
            .flat_map(move |(row, (&start, &end))| (start..end).map(move |at| (row, self.ids[at], self.labels[at])))
    }
}

impl Decisions {
    /// No decisions on `cases` cases by `experts` experts.
    pub fn none(cases: usize, experts: usize) -> Self {
        let (by_case, by_expert) = (Rows::gather(cases, std::iter::empty()), Rows::gather(experts, std::iter::empty()));
        Self { by_case, by_expert, confidences: Vec::new() }
    }

    /// Decisions from (case, expert, label) positions.
    ///
    /// # Errors
    /// As [`DecisionsBuilder::build`].
    pub fn from_triples(
        cases: usize,
        experts: usize,
        triples: impl IntoIterator<Item = (u32, u32, u16)>,
    ) -> Result<Self, DecisionsError> {
        let mut builder = DecisionsBuilder::new();
        for (case, expert, label) in triples {
            builder.push(CaseId(case), ExpertId(expert), Label(label));
        }
        builder.build(cases, experts)
    }

    /// From rows by case whose entries may be in any order of experts but hold each at most once.
    fn from_rows_by_case(rows: &Rows<ExpertId>, experts: usize) -> Self {
        let cases = rows.starts.len() - 1;
        let by_expert = Rows::gather(experts, rows.iter().map(|(c, e, l)| (e.index(), CaseId::at(c), l)));
        let by_case = Rows::gather(cases, by_expert.iter().map(|(e, c, l)| (c.index(), ExpertId::at(e), l)));
        Self { by_case, by_expert, confidences: Vec::new() }
    }

    /// The same decisions with how sure each expert said they were of their label: a probability, or `None` where
    /// they did not say. O(decisions).
    ///
    /// ```
    /// use deferral_core::{CaseId, Decisions, ExpertId};
    /// let decisions = Decisions::from_triples(2, 1, [(0, 0, 1), (1, 0, 0)])?;
    /// let decisions = decisions.with_confidences(|case, _| Some(if case.0 == 0 { 0.9 } else { 0.6 }));
    /// assert_eq!(decisions.confidence(CaseId(1), ExpertId(0)), Some(0.6));
    /// // Label 0 with confidence .6 is a probability of .4 for label 1.
    /// assert_eq!(decisions.probability_of_one(CaseId(1), ExpertId(0)), Some(0.4));
    /// # Ok::<(), deferral_core::DecisionsError>(())
    /// ```
    #[must_use]
    pub fn with_confidences(mut self, said: impl Fn(CaseId, ExpertId) -> Option<f64>) -> Self {
        self.confidences = self.iter().map(|(case, vote)| said(case, vote.expert)).collect();
        if self.confidences.iter().all(Option::is_none) {
            self.confidences = Vec::new();
        }
        self
    }

    /// Whether any expert said how sure they were.
    pub fn has_confidences(&self) -> bool {
        !self.confidences.is_empty()
    }

    /// How sure `expert` said they were of their label for `case`, if they decided and said so. O(log of the row).
    pub fn confidence(&self, case: CaseId, expert: ExpertId) -> Option<f64> {
        let at = self.of_case(case).ids.binary_search(&expert).ok()?;
        *self.confidences.get(self.by_case.starts[case.index()] + at)?
    }

    /// The probability of label 1 that `expert` gave `case`, for two classes: their confidence in their label turned
    /// that way; 0 or 1 where they did not say how sure they were. `None` if they did not decide. O(log of the row).
    pub fn probability_of_one(&self, case: CaseId, expert: ExpertId) -> Option<f64> {
        let label = self.get(case, expert)?;
        let sure = self.confidence(case, expert).unwrap_or(1.0);
        Some(if label.0 == 0 { 1.0 - sure } else { sure })
    }

    /// Number of decisions.
    pub fn len(&self) -> usize {
        self.by_case.ids.len()
    }

    /// Whether nobody decided anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of cases, n, with or without decisions.
    pub fn cases(&self) -> usize {
        self.by_case.starts.len() - 1
    }

    /// Number of experts, m, with or without decisions.
    pub fn experts(&self) -> usize {
        self.by_expert.starts.len() - 1
    }

    /// Who decided `case`, and what. Empty for a case outside the table.
    pub fn of_case(&self, case: CaseId) -> Row<'_, ExpertId> {
        self.by_case.row(case.index())
    }

    /// What `expert` decided. Empty for an expert outside the roster.
    pub fn of_expert(&self, expert: ExpertId) -> Row<'_, CaseId> {
        self.by_expert.row(expert.index())
    }

    /// The label that `expert` gave to `case`, if any. O(log of the row).
    pub fn get(&self, case: CaseId, expert: ExpertId) -> Option<Label> {
        let row = self.of_case(case);
        row.ids.binary_search(&expert).ok().map(|at| row.labels[at])
    }

    /// All decisions, by case and within a case by expert.
    pub fn iter(&self) -> impl Iterator<Item = (CaseId, Vote)> + Clone {
        self.by_case.iter().map(|(case, expert, label)| (CaseId::at(case), Vote { expert, label }))
    }

    /// Whether every expert decided every case.
    pub fn is_complete(&self) -> bool {
        self.len() == self.cases() * self.experts()
    }

    /// The largest label, if there is a decision.
    pub fn max_label(&self) -> Option<Label> {
        self.by_case.labels.iter().copied().max()
    }

    /// The decisions on `cases`, renumbered to that order. Experts stay as they are.
    ///
    /// # Panics
    /// If a case lies outside the table.
    #[must_use]
    pub fn select_cases(&self, cases: &[usize]) -> Self {
        let mut rows = Rows { starts: vec![0], ids: Vec::new(), labels: Vec::new() };
        let mut confidences = Vec::new();
        for &case in cases {
            assert!(case < self.cases(), "case {case} of {}", self.cases());
            let row = self.by_case.row(case);
            rows.ids.extend_from_slice(row.ids);
            rows.labels.extend_from_slice(row.labels);
            rows.starts.push(rows.ids.len());
            if self.has_confidences() {
                let range = self.by_case.starts[case]..self.by_case.starts[case + 1];
                confidences.extend_from_slice(&self.confidences[range]);
            }
        }
        let by_expert = Rows::gather(self.experts(), rows.iter().map(|(c, e, l)| (e.index(), CaseId::at(c), l)));
        Self { by_case: rows, by_expert, confidences }
    }

    /// The decisions of `experts`, renumbered to that order. Cases stay as they are.
    #[must_use]
    pub fn select_experts(&self, experts: &[usize]) -> Self {
        let mut place = vec![None; self.experts()];
        for (new, &old) in experts.iter().enumerate() {
            if let Some(slot) = place.get_mut(old) {
                *slot = Some(ExpertId::at(new));
            }
        }
        let kept = self.by_case.iter().filter_map(|(c, e, l)| place[e.index()].map(|new| (c, new, l)));
        let rows = Rows::gather(self.cases(), kept);
        let selected = Self::from_rows_by_case(&rows, experts.len());
        if !self.has_confidences() {
            return selected;
        }
        selected.with_confidences(|case, new| self.confidence(case, ExpertId::at(experts[new.index()])))
    }
}

/// Collects decisions in any order; memory grows in fixed blocks, never by copying what is there.
#[derive(Debug, Default)]
pub struct DecisionsBuilder {
    blocks: Vec<Block>,
    len: usize,
}

#[derive(Debug)]
struct Block {
    cases: Vec<CaseId>,
    experts: Vec<ExpertId>,
    labels: Vec<Label>,
}

const BLOCK: usize = 1 << 16;

impl DecisionsBuilder {
    /// Nothing collected yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Collects one decision. 10 bytes each.
    pub fn push(&mut self, case: CaseId, expert: ExpertId, label: Label) {
        if self.len.is_multiple_of(BLOCK) {
            // Only a table that fills a block pays for a whole one.
            let capacity = if self.len == 0 { 0 } else { BLOCK };
            self.blocks.push(Block {
                cases: Vec::with_capacity(capacity),
                experts: Vec::with_capacity(capacity),
                labels: Vec::with_capacity(capacity),
            });
        }
        if let Some(block) = self.blocks.last_mut() {
            block.cases.push(case);
            block.experts.push(expert);
            block.labels.push(label);
            self.len += 1;
        }
    }

    /// Number of decisions collected.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn iter(&self) -> impl Iterator<Item = (CaseId, ExpertId, Label)> + Clone {
        self.blocks.iter().flat_map(|block| {
            let people = block.experts.iter().zip(&block.labels);
            block.cases.iter().zip(people).map(|(&case, (&expert, &label))| (case, expert, label))
        })
    }

    /// Replaces every label by `to[label]`: for names that are sorted only when all are known.
    pub fn relabel(&mut self, to: &[Label]) {
        for label in self.blocks.iter_mut().flat_map(|block| &mut block.labels) {
            if let Some(&new) = to.get(label.index()) {
                *label = new;
            }
        }
    }

    /// Sorts what was collected into a table of `cases` x `experts`.
    ///
    /// # Errors
    /// [`DecisionsError::Duplicate`] if an expert decided a case twice, [`DecisionsError::OutOfRange`] if a decision
    /// lies outside the table.
    pub fn build(self, cases: usize, experts: usize) -> Result<Decisions, DecisionsError> {
        if let Some((at, (case, expert, _))) =
            self.iter().enumerate().find(|(_, (c, e, _))| c.index() >= cases || e.index() >= experts)
        {
            return Err(DecisionsError::OutOfRange { at, case, expert, cases, experts });
        }
        // By expert first: sorting its entries by case afterwards leaves both tables sorted.
        let by_expert = Rows::gather(experts, self.iter().map(|(c, e, l)| (e.index(), c, l)));
        if let Some((case, expert)) = duplicate(&by_expert, cases) {
            let mut places = self.iter().enumerate().filter(|(_, (c, e, _))| *c == case && *e == expert);
            let first = places.next().map_or(0, |(at, _)| at);
            let second = places.next().map_or(0, |(at, _)| at);
            return Err(DecisionsError::Duplicate { case, expert, first, second });
        }
        drop(self);
        let by_case = Rows::gather(cases, by_expert.iter().map(|(e, c, l)| (c.index(), ExpertId::at(e), l)));
        drop(by_expert);
        let by_expert = Rows::gather(experts, by_case.iter().map(|(c, e, l)| (e.index(), CaseId::at(c), l)));
        Ok(Decisions { by_case, by_expert, confidences: Vec::new() })
    }
}

/// The first (case, expert) pair that stands twice in rows by expert.
fn duplicate(by_expert: &Rows<CaseId>, cases: usize) -> Option<(CaseId, ExpertId)> {
    const NOBODY: u32 = u32::MAX;
    let mut last_seen_by = vec![NOBODY; cases];
    for (expert, case, _) in by_expert.iter() {
        let seen = &mut last_seen_by[case.index()];
        if *seen == expert as u32 {
            return Some((case, ExpertId::at(expert)));
        }
        *seen = expert as u32;
    }
    None
}
