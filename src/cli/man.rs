//! `p2pcp man`: the manual pages, made from the options.

use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use crate::cli::options;
use crate::error::{Error, Finish};
use crate::fs;
use crate::ui::Reporter;

/// Prints the page of p2pcp, or writes one for each command into `folder`.
pub(super) fn run(folder: Option<&Path>, reporter: &Reporter) -> Result<Finish, Error> {
    let Some(folder) = folder else {
        let page = page(options::command()).map_err(Error::Document)?;
        reporter.data(&page).map_err(Error::Document)?;
        return Ok(Finish::Done);
    };
    for (name, page) in pages().map_err(Error::Document)? {
        fs::write_page(&folder.join(name), &page).map_err(Error::Document)?;
    }
    Ok(Finish::Done)
}

/// Every page and the name of its file: `p2pcp.1`, `p2pcp-send.1` and so on.
fn pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut whole = options::command();
    whole.build();
    let shown = whole.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
    let mut pages = vec![("p2pcp.1".to_owned(), page(options::command())?)];
    for command in shown {
        let name = format!("p2pcp-{}", command.get_name());
        pages.push((format!("{name}.1"), page(command.clone().name(name.clone()).display_name(name))?));
    }
    Ok(pages)
}

fn page(command: Command) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Man::new(command).render(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::pages;

    #[test]
    fn each_command_has_a_page_with_all_its_options() {
        let pages = pages().unwrap();
        let text = |name: &str| {
            let (_, page) = pages.iter().find(|(it, _)| it == name).unwrap();
            String::from_utf8(page.clone()).unwrap().replace("\\-", "-")
        };
        assert!(text("p2pcp.1").contains("p2pcp-send"));
        assert!(text("p2pcp-send.1").contains("--direct-only"), "rare options are told of, too");
        assert!(text("p2pcp-recv.1").contains("--rename"));
        assert!(!pages.iter().any(|(name, _)| name.contains("complete-code")));
    }
}
