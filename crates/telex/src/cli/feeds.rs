//! The list of feeds.

use std::path::PathBuf;

use clap::Subcommand;
use ipnet::IpNet;

/// Commands on feeds.
#[derive(Debug, Subcommand)]
pub(crate) enum FeedsCommand {
    /// Put feeds on the list; they stay until removed.
    Add {
        /// Addresses of feeds.
        #[arg(required = true)]
        urls: Vec<String>,
        /// Labels that their articles carry.
        #[arg(long, value_name = "LABEL")]
        label: Vec<String>,
    },
    /// Show the feeds, worst first.
    List,
    /// Take feeds off the list.
    Remove {
        /// Addresses of feeds.
        #[arg(required = true)]
        urls: Vec<String>,
    },
    /// Have feeds on the list rest until resumed.
    Pause {
        /// Addresses of feeds.
        #[arg(required = true)]
        urls: Vec<String>,
    },
    /// Have paused feeds polled again.
    Resume {
        /// Addresses of feeds.
        #[arg(required = true)]
        urls: Vec<String>,
    },
    /// Have feeds polled at once, due or not; all feeds where none is named.
    Poll {
        /// Addresses of feeds.
        urls: Vec<String>,
    },
    /// Poll feeds at an interval of their own, such as `5m`, whatever they ask for; `auto` lets it follow the feed again.
    Interval {
        /// At least a minute.
        interval: String,
        /// Addresses of feeds.
        #[arg(required = true)]
        urls: Vec<String>,
    },
    /// Send headers of your own, such as an API key, with every request for a feed; without a file none any more.
    Headers {
        /// Address of the feed.
        url: String,
        /// One `Name: value` a line; their values are shown nowhere.
        file: Option<PathBuf>,
    },
    /// Put the feeds of an OPML file or a list of URLs on the list.
    Import {
        /// The file.
        file: PathBuf,
    },
    /// Print the list as OPML.
    Export,
    /// Find the feeds of a site, and say of each whether it can be read.
    Discover {
        /// Address of a page, most often the front page.
        url: String,
        /// Lets the requests reach that private range (repeatable).
        #[arg(long, value_name = "CIDR")]
        allow_address: Vec<IpNet>,
    },
    /// Fetch a feed and say what is in it and what is wrong with it.
    Test {
        /// Address of the feed.
        url: String,
        /// Lets the request reach that private range (repeatable).
        #[arg(long, value_name = "CIDR")]
        allow_address: Vec<IpNet>,
    },
}
