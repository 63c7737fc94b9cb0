//! What a commit's message says of the branch and the pull request that it brings.

/// A pull request, as the message tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest<'a> {
    /// `#415`; `!415` where it is a merge request.
    pub number: String,
    /// What it is about.
    pub title: &'a str,
}

/// The pull request that a commit with this message brings: `… (#415)`, `Merge pull request #415
/// from x/y`, or `See merge request group/proj!415` in the body.
pub fn pull_request<'a>(subject: &'a str, body: &'a str) -> Option<PullRequest<'a>> {
    let mut lines = body.lines().map(str::trim).filter(|line| !line.is_empty());
    let request = |line: &str| {
        let (_, number) = line.strip_prefix("See merge request ")?.rsplit_once('!')?;
        is_number(number).then(|| format!("!{number}"))
    };
    if let Some(number) = lines.clone().find_map(request) {
        let first = lines.next().filter(|line| request(line).is_none());
        return Some(PullRequest { number, title: first.or(branch(subject)).unwrap_or(subject) });
    }
    if let Some(rest) = subject.strip_prefix("Merge pull request #") {
        let (number, from) = rest.split_once(' ').unwrap_or((rest, ""));
        if is_number(number) {
            let from =
                from.strip_prefix("from ").map(|from| from.split_once('/').unwrap_or(("", from)).1);
            let title = lines.next().or(from).unwrap_or(subject);
            return Some(PullRequest { number: format!("#{number}"), title });
        }
    }
    let (title, number) = subject.trim_end().strip_suffix(')')?.rsplit_once("(#")?;
    let is_one = is_number(number) && title.ends_with(' ');
    is_one.then(|| PullRequest { number: format!("#{number}"), title: title.trim_end() })
}

/// The branch that a commit with this subject merges.
pub fn branch(subject: &str) -> Option<&str> {
    if let Some(rest) = subject.strip_prefix("Merge pull request #") {
        let (_, from) = rest.split_once(" from ")?;
        return from.split_once('/').map(|(_, branch)| branch).filter(|it| !it.is_empty());
    }
    let rest = subject.strip_prefix("Merge branch '").map(|rest| (rest, ""));
    let remote =
        || subject.strip_prefix("Merge remote-tracking branch '").map(|rest| (rest, "origin/"));
    let (rest, prefix) = rest.or_else(remote)?;
    let (name, _) = rest.split_once('\'')?;
    Some(name.strip_prefix(prefix).unwrap_or(name)).filter(|it| !it.is_empty())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_request_is_read_from_the_message() {
        for (subject, body, found) in [
            ("Retry with jitter (#412)", "", Some(("#412", "Retry with jitter"))),
            ("Revert \"Retry (#412)\" (#413)", "", Some(("#413", "Revert \"Retry (#412)\""))),
            (
                "Merge pull request #415 from x/export/2",
                "\nTenant export\n\nmore",
                Some(("#415", "Tenant export")),
            ),
            ("Merge pull request #415 from x/export/2", "", Some(("#415", "export/2"))),
            (
                "Merge branch 'dark' into 'main'",
                "Dark mode\n\nSee merge request team/app!421\n",
                Some(("!421", "Dark mode")),
            ),
            (
                "Merge branch 'dark' into 'main'",
                "See merge request team/app!421",
                Some(("!421", "dark")),
            ),
            ("Merge branch 'dark'", "", None),
            ("Fix #412", "", None),
            ("f(#412)", "", None),
            ("Odd (#)", "", None),
            ("Merge pull request #x from y/z", "", None),
            ("", "", None),
        ] {
            let request = pull_request(subject, body);
            let request = request.as_ref().map(|it| (it.number.as_str(), it.title));
            assert_eq!(request, found, "{subject}");
        }
    }

    #[test]
    fn a_branch_is_read_from_the_subject() {
        for (subject, found) in [
            ("Merge branch 'feature/x'", Some("feature/x")),
            ("Merge branch 'feature/x' into main", Some("feature/x")),
            ("Merge remote-tracking branch 'origin/x'", Some("x")),
            ("Merge pull request #1 from me/feature/x", Some("feature/x")),
            ("Merge branches 'a' and 'b'", None),
            ("Merge branch ''", None),
            ("Merge pull request #1 from me", None),
            ("Retry (#412)", None),
        ] {
            assert_eq!(branch(subject), found, "{subject}");
        }
    }
}
