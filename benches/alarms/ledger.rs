//! Ledgers made up by chance, with faults planted in them: what anomalies are measured on.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use usage_ledger::report::aggregate::Cell;
use usage_ledger::report::histogram::Bucket;
use usage_ledger::report::measures::Measures;
use usage_ledger::row::TaskType;
use usage_ledger::timestamp::Day;

/// So many days has a ledger.
pub(crate) const DAYS: i32 = 90;

/// A Monday: 2026-01-05.
const FIRST: i32 = 20_458;

/// Tasks of a weekend's day, in parts of a weekday's.
const WEEKEND: f64 = 0.2;

/// How far the tasks of a day scatter beyond chance, as a logarithm.
const VOLUME_SIGMA: f64 = 0.2;

/// How far a day's level scatters by itself, beyond its tasks, as a logarithm: of one series, and
/// of all series of a model together.
const DAY_SIGMA: f64 = 0.04;

/// What is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Every task takes twice as long.
    Slower,
    /// Every task costs three times as much.
    Dearer,
    /// The rate of success falls by 15 points.
    Failing,
    /// No task at all.
    Silent,
}

/// A ledger, and what was planted in it.
pub(crate) struct Ledger {
    /// All its days.
    pub(crate) cells: Vec<Cell>,
    /// What was planted: from that day on, in the series of that model and, if told, task type.
    pub(crate) planted: (Day, Box<str>, Option<TaskType>),
    /// Series that ended for good, each with the first day without it.
    pub(crate) ended: Vec<(Box<str>, TaskType, Day)>,
}

impl Ledger {
    /// What of it is there on the evening of a day.
    pub(crate) fn until(&self, day: Day) -> Vec<Cell> {
        self.cells.iter().filter(|cell| cell.day <= day).cloned().collect()
    }
}

/// Numbers that look like chance (splitmix64, Steele et al. 2014).
struct Chance(u64);

impl Chance {
    /// Between 0 and 1, neither of them.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((bits ^ (bits >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() * count as f64) as usize
    }

    /// A standard normal value (Box & Muller 1958).
    fn normal(&mut self) -> f64 {
        (-2.0 * self.next().ln()).sqrt() * (TAU * self.next()).cos()
    }

    /// A Poisson count (Knuth; above 30 the rounded normal value).
    fn count(&mut self, mean: f64) -> u64 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.next(), 0);
        while product > limit {
            product *= self.next();
            count += 1;
        }
        count
    }
}

/// One model's tasks of one type.
struct Kind {
    model: usize,
    task_type: TaskType,
    /// Tasks of a weekday, before growth.
    tasks: f64,
    tokens_ln: f64,
    tokens_sigma: f64,
    duration_ln: f64,
    duration_sigma: f64,
    success: f64,
    first: i32,
    /// From here on the tasks become fewer by half every two days; None for ever.
    fading: Option<i32>,
}

/// Makes a ledger of 90 days: ten to twenty series of 3 to 300 tasks a weekday, tokens and durations
/// log-normal with σ from 1.0 to 1.3, weekends at 20 %, a week's holiday, growth by up to two, series
/// that begin late and series that fade away. What is planted begins on a weekday after the
/// eighth week, in a series of 100 to 200 tasks a weekday at its beginning: in odd ledgers one
/// model's tasks of one type, in even ones a model with three types.
pub(crate) fn make(seed: u64, fault: Option<Fault>) -> Ledger {
    let mut chance = Chance(seed.wrapping_mul(0xD134_2543_DE82_EF95));
    let kinds = kinds(&mut chance, seed);
    let is_one_kind = seed % 2 == 1;
    let planted = loop {
        let day = 56 + chance.below(30) as i32;
        if day % 7 < 5 {
            break day;
        }
    };
    // The holiday is over a week before, or begins later than anyone looks.
    let holiday = 20 + chance.below(20) as i32;
    let during_holiday = [0.0, 0.05][chance.below(2)];
    let growth = chance.between(1.0, 2.0);
    let prices: Vec<f64> = (0..8).map(|_| chance.between(1.0, 15.0)).collect();
    let mut cells = BTreeMap::<(i32, usize), Measures>::new();
    for day in 0..DAYS {
        let mut volume = growth.powf(f64::from(day) / f64::from(DAYS));
        if day % 7 >= 5 {
            volume *= WEEKEND;
        }
        if (holiday..holiday + 7).contains(&day) {
            volume *= during_holiday;
        }
        let levels: Vec<f64> = (0..8).map(|_| DAY_SIGMA * chance.normal()).collect();
        for (number, kind) in kinds.iter().enumerate() {
            let fades = kind.fading.map_or(0, |from| (day - from).max(0));
            let is_hit = day >= planted && kind.model == 0 && (number == 0 || !is_one_kind);
            let fault = fault.filter(|_| is_hit);
            let scatter = (VOLUME_SIGMA * chance.normal()).exp();
            let tasks = kind.tasks * volume * scatter / f64::from(fades / 2).exp2();
            if day < kind.first || fault == Some(Fault::Silent) || tasks < 0.02 {
                continue;
            }
            let level = levels[kind.model];
            let own = DAY_SIGMA * chance.normal();
            for _ in 0..chance.count(tasks) {
                let sums = cells.entry((day, number)).or_default();
                let tokens = kind.tokens_ln + kind.tokens_sigma * chance.normal();
                let tokens = (tokens + own).exp().clamp(1.0, 1e9) as u128;
                let ms = kind.duration_ln + kind.duration_sigma * chance.normal() + own + level;
                let ms = if fault == Some(Fault::Slower) { 2.0 } else { 1.0 } * ms.exp();
                let price =
                    if fault == Some(Fault::Dearer) { 3.0 } else { 1.0 } * prices[kind.model];
                let success = kind.success - if fault == Some(Fault::Failing) { 0.15 } else { 0.0 };
                sums.rows += 1;
                sums.tasks += 1;
                sums.successes += u64::from(chance.next() < success);
                sums.prompt_tokens += tokens;
                sums.cost_micros += (tokens as f64 * price).round() as u128;
                sums.duration_ms += ms as u128;
                sums.durations.add(Bucket::of(ms as u64), ms as u64);
            }
        }
    }
    let name = |model: usize| -> Box<str> { format!("model-{model}").into() };
    let cell = |((day, number), measures): ((i32, usize), Measures)| Cell {
        day: Day(FIRST + day),
        model: name(kinds[number].model),
        task_type: kinds[number].task_type,
        measures,
    };
    let mut ledger = Ledger {
        cells: cells.into_iter().map(cell).collect(),
        planted: (Day(FIRST + planted), name(0), is_one_kind.then(|| kinds[0].task_type)),
        ended: Vec::new(),
    };
    for kind in kinds.iter().filter(|kind| kind.fading.is_some()) {
        let own = |cell: &&Cell| cell.model == name(kind.model) && cell.task_type == kind.task_type;
        if let Some(last) = ledger.cells.iter().filter(own).map(|cell| cell.day).max() {
            ledger.ended.push((name(kind.model), kind.task_type, Day(last.0 + 1)));
        }
    }
    ledger
}

fn kinds(chance: &mut Chance, seed: u64) -> Vec<Kind> {
    let count = 10 + chance.below(11);
    let hit = chance.between(100.0, 200.0);
    let mut kinds = Vec::<Kind>::new();
    for number in 0..count {
        // Model 0 is where faults are planted: all of its tasks of one type, or of three.
        let (model, task_type, tasks) = match (number, seed % 2) {
            (0, 1) => (0, TaskType::ALL[0], hit),
            (0..3, 0) => (0, TaskType::ALL[number], hit * [0.5, 0.3, 0.2][number]),
            _ => {
                let place = number - 1;
                let tasks = chance.between(3f64.ln(), 300f64.ln()).exp();
                (1 + place / 4, TaskType::ALL[place % 4], tasks)
            }
        };
        let is_steady = model == 0 || chance.next() < 0.7;
        let begins_late = chance.next() < 0.5;
        let day = 10 + chance.below(60) as i32;
        kinds.push(Kind {
            model,
            task_type,
            tasks,
            tokens_ln: chance.between(7.0, 10.0),
            tokens_sigma: chance.between(1.0, 1.3),
            duration_ln: chance.between(8.0, 11.0),
            duration_sigma: chance.between(1.0, 1.3),
            success: chance.between(0.85, 0.97),
            first: if !is_steady && begins_late { day } else { 0 },
            fading: (!is_steady && !begins_late).then_some(day),
        });
    }
    kinds
}
