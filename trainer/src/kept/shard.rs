//! Parts of the images of an evaluation: `--shard 3/8`.

use std::fmt::{self, Display};
use std::ops::Range;
use std::str::FromStr;

use anyhow::{Result, bail, ensure};

use crate::error::UsageError;

/// One of several parts that the images are cut into, at whole hundreds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Number of the part, from 1.
    number: usize,
    /// Number of the parts, at least 1.
    of: usize,
}

impl Shard {
    /// All images.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// Most parts: more than any cluster has machines.
    const MOST: usize = 100_000;

    /// Returns part `number` (from 1) of `of`; `None` if there is no such part, or more than 100,000.
    pub fn new(number: usize, of: usize) -> Option<Self> {
        (of <= Self::MOST && (1..=of).contains(&number)).then_some(Self { number, of })
    }

    /// Returns whether the part is all images.
    pub fn is_whole(self) -> bool {
        self.of == 1
    }

    /// Returns the hundreds of this part, of so many.
    pub fn hundreds(self, all: usize) -> Range<usize> {
        (self.number - 1) * all / self.of..self.number * all / self.of
    }

    /// Returns all parts of the same division.
    pub fn siblings(self) -> impl Iterator<Item = Self> {
        (1..=self.of).map(move |number| Self { number, ..self })
    }

    /// Returns `3-of-8`, for the name of a file.
    pub fn in_a_name(self) -> String {
        format!("{}-of-{}", self.number, self.of)
    }

    /// Returns the part that [`Shard::in_a_name`] writes as `text`.
    pub fn from_a_name(text: &str) -> Option<Self> {
        let (number, of) = text.split_once("-of-")?;
        Self::new(number.parse().ok()?, of.parse().ok()?)
    }

    /// Returns the name of the file with the results of this part.
    pub fn file(self) -> String {
        if self.is_whole() { "results.jsonl".into() } else { format!("results-{}.jsonl", self.in_a_name()) }
    }

    /// Returns the part whose results are in the file `name`; `None` for any other file.
    pub fn of_file(name: &str) -> Option<Self> {
        let middle = name.strip_prefix("results")?.strip_suffix(".jsonl")?;
        if middle.is_empty() {
            return Some(Self::WHOLE);
        }
        Self::from_a_name(middle.strip_prefix('-')?)
    }
}

/// Writes `3/8`.
impl Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.number, self.of)
    }
}

/// The value of `--shard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardChoice {
    /// `3/8`.
    One(Shard),
    /// `auto`, or `auto/8` where the number of parts is known: the part is the scheduler's task.
    Auto(Option<usize>),
}

impl FromStr for ShardChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not a shard such as 3/8 (the third of eight), auto or auto/8");
        let count = |text: &str| text.parse::<usize>().ok().filter(|&count| count > 0).ok_or_else(wrong);
        match text.split_once('/') {
            None if text == "auto" => Ok(Self::Auto(None)),
            Some(("auto", of)) => Ok(Self::Auto(Some(count(of)?))),
            Some((number, of)) => {
                let of = count(of)?;
                let number = number.parse().map_err(|_| wrong())?;
                let shard = Shard::new(number, of);
                shard.map(Self::One).ok_or_else(|| format!("there is no shard {number} of {of}: they count from 1"))
            }
            None => Err(wrong()),
        }
    }
}

impl ShardChoice {
    /// Returns the part that is meant. `variable` reads a variable of the environment.
    ///
    /// # Errors
    /// [`UsageError`] for `auto` where the variables of Slurm's job arrays and of Kubernetes' indexed jobs name no part.
    pub fn resolve(self, variable: impl Fn(&str) -> Option<String>) -> Result<Shard> {
        let of = match self {
            Self::One(shard) => return Ok(shard),
            Self::Auto(of) => of,
        };
        let number = |name: &str| -> Result<Option<usize>> {
            let Some(text) = variable(name) else { return Ok(None) };
            match text.trim().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => bail!(UsageError(format!("--shard auto: {name} is '{text}', which is no number"))),
            }
        };
        let (index, total, which) = if let Some(id) = number("SLURM_ARRAY_TASK_ID")? {
            let needed = |name| match number(name)? {
                Some(number) => Ok(number),
                None => bail!(UsageError(format!(
                    "--shard auto: SLURM_ARRAY_TASK_ID is set and {name} is not: give the part itself, as --shard 3/8"
                ))),
            };
            let (min, count) = (needed("SLURM_ARRAY_TASK_MIN")?, needed("SLURM_ARRAY_TASK_COUNT")?);
            let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
            let index = id.checked_sub(min).filter(|after| after % step == 0).map(|after| after / step);
            (index.filter(|&index| index < count), count, format!("task {id} of the Slurm array"))
        } else if let Some(index) = number("JOB_COMPLETION_INDEX")? {
            let Some(of) = of else {
                bail!(UsageError(
                    "--shard auto: Kubernetes sets JOB_COMPLETION_INDEX alone: give the job's completions too, as --shard auto/8"
                        .into()
                ))
            };
            (Some(index), of, format!("JOB_COMPLETION_INDEX {index}"))
        } else {
            bail!(UsageError(
                "--shard auto: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set, so this is no task of a Slurm \
                 array and no pod of an indexed job: give the part itself, as --shard 3/8"
                    .into()
            ))
        };
        ensure!(
            of.is_none_or(|of| of == total),
            UsageError(format!(
                "--shard auto/{}: the Slurm array has {total} tasks: to repeat one part alone, name it, as --shard 3/{0}",
                of.unwrap_or_default()
            ))
        );
        match index.and_then(|index| Shard::new(index + 1, total)) {
            Some(shard) => Ok(shard),
            None => bail!(UsageError(format!(
                "--shard auto: {which} is none of {total} in a row: begin with an array such as --array=1-{total}, or give \
                 the part itself, as --shard 3/8"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_every_hundred_once() {
        for all in [0, 1, 3, 10, 100] {
            for of in [1, 2, 3, 7, 8, 101] {
                let whole = Shard::new(1, of).unwrap().siblings().flat_map(|shard| shard.hundreds(all));
                assert_eq!(whole.collect::<Vec<_>>(), (0..all).collect::<Vec<_>>(), "{all} in {of}");
            }
        }
    }

    #[test]
    fn a_shard_is_typed_as_its_number_of_all() {
        let parsed = |text: &str| text.parse::<ShardChoice>();
        let third = Shard::new(3, 8).unwrap();
        assert_eq!(parsed("3/8"), Ok(ShardChoice::One(third)));
        assert_eq!(parsed("auto"), Ok(ShardChoice::Auto(None)));
        assert_eq!(parsed("auto/8"), Ok(ShardChoice::Auto(Some(8))));
        for (text, says) in
            [("0/8", "count from 1"), ("9/8", "no shard 9 of 8"), ("3", "such as 3/8"), ("a/0", "such as")]
        {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        for shard in [third, Shard::WHOLE] {
            assert_eq!(Shard::of_file(&shard.file()), Some(shard));
        }
        assert_eq!((Shard::of_file("results-9-of-8.jsonl"), Shard::of_file("scores.json")), (None, None));
    }

    #[test]
    fn auto_takes_the_task_of_a_slurm_array_or_of_an_indexed_job() {
        let auto = |text: &str, variables: &[(&str, &str)]| {
            let choice: ShardChoice = text.parse().unwrap();
            let variable = |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, to)| to.to_string());
            choice.resolve(variable).map(|shard| shard.to_string()).map_err(|error| {
                assert!(error.downcast_ref::<UsageError>().is_some());
                error.to_string()
            })
        };
        let slurm = |id, min, count, step| {
            [
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_MIN", min),
                ("SLURM_ARRAY_TASK_COUNT", count),
                ("SLURM_ARRAY_TASK_STEP", step),
            ]
        };
        assert_eq!(auto("auto", &slurm("0", "0", "8", "1")).unwrap(), "1/8");
        assert_eq!(auto("auto/8", &slurm("8", "1", "8", "1")).unwrap(), "8/8");
        assert_eq!(auto("auto", &slurm("15", "1", "8", "2")).unwrap(), "8/8");
        assert_eq!(auto("auto/8", &[("JOB_COMPLETION_INDEX", "2")]).unwrap(), "3/8");
        for (text, variables, says) in [
            ("auto", &slurm("7", "1", "3", "1")[..], "task 7 of the Slurm array is none of 3 in a row"),
            ("auto", &slurm("4", "1", "4", "2"), "none of 4"),
            // A task that is repeated alone would take all images for its part.
            ("auto/8", &slurm("3", "3", "1", "1"), "the Slurm array has 1 tasks: to repeat one part alone, name it"),
            ("auto", &slurm("x", "1", "8", "1"), "SLURM_ARRAY_TASK_ID is 'x', which is no number"),
            ("auto", &[("SLURM_ARRAY_TASK_ID", "1")], "SLURM_ARRAY_TASK_MIN is not"),
            ("auto", &[("JOB_COMPLETION_INDEX", "2")], "--shard auto/8"),
            ("auto/8", &[("JOB_COMPLETION_INDEX", "8")], "JOB_COMPLETION_INDEX 8 is none of 8"),
            ("auto", &[], "neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set"),
        ] {
            let error = auto(text, variables).unwrap_err();
            assert!(error.contains(says), "'{says}' is not in: {error}");
        }
    }
}
