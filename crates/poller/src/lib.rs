//! Feeds to items: the schedule, conditional requests, and what is new in an answer.
//!
//! The poller is a [`telex_stream::Source`]: `telex.feeds.v1` says what to poll, `telex.feed-state.v1` what it
//! remembers; a domain belongs to one partition, so to one poller, and politeness needs no coordinator. The items of
//! an answer are committed together with the state that says that they were seen, so that nothing is published
//! twice or forgotten; the request itself may be made again.
//!
//! What it promises, and the tests that show it; where they are elsewhere than in this crate, the client, the parser
//! or the pipeline keeps the promise for it.
//!
//! | rule | tests |
//! |---|---|
//! | one bad item costs no other, a cut only what is behind it | `one_wounded_item_costs_no_other`, `a_cut_costs_only_what_is_behind_it` |
//! | what is no feed is called by its name; a feed that becomes empty is noticed | `what_is_no_feed_is_called_by_its_name`, `a_feed_that_becomes_empty_is_noticed_and_brings_nothing_twice` |
//! | no input exhausts stack, time or memory | `nesting_overflows_no_stack`, `entities_do_not_multiply`, `fields_and_entries_have_a_limit` |
//! | decoded before it is parsed, without mojibake | `text_is_never_mojibake`, `a_few_wrong_bytes_do_not_change_the_encoding` |
//! | the interval follows the feed | `follows_the_feed`, `settles_at_about_one_item_a_poll`, `the_pace_is_that_of_the_newest_items` |
//! | an interval set by hand overrules the feed | `an_interval_of_ones_own_overrules_the_feed` |
//! | headers of one's own go with every request, to the feed's own origin only | `headers_of_a_feed_go_to_its_own_origin_and_no_further`, `headers_of_ones_own_are_shown_nowhere` |
//! | a clock that is set holds nothing up | `a_clock_that_is_set_makes_no_feed_rest_longer`, `what_was_asked_for_is_served_once_whatever_the_clock_says`, `a_clock_that_is_set_holds_nothing_up` |
//! | what may have been missed is estimated | `what_was_missed_is_estimated` |
//! | ttl, updatePeriod, skipHours, skipDays, Cache-Control and Expires are heard | `hints_of_rss`, `publishers_are_heard_within_reason`, `hours_and_days_to_skip_are_skipped`, `freshness_by_max_age_then_expires`, `what_the_publisher_asks_holds_after_not_modified_and_yields_to_a_fixed_interval` |
//! | validators are used once what they stand for was published | `what_was_not_committed_is_asked_for_again` |
//! | a server that says "not modified" for ever is not believed for ever | `a_server_that_never_changes_its_mind_is_asked_for_everything_now_and_then` |
//! | Retry-After, in both forms, holds for the host | `retry_after_in_both_forms`, `retry_after_closes_a_host_for_all`, `a_host_that_says_when_to_come_back_is_left_alone` |
//! | 403 is throttling; 404, 410, 429, 5xx each have their rule | `statuses_fall_into_their_class`, `every_status_has_its_rule` |
//! | failures slow a feed down, with jitter; it becomes dormant, says so, and never dies | `failures_double_up_to_a_day`, `failures_slow_down_and_are_told`, `two_weeks_of_failures_make_a_feed_dormant_and_never_dead` |
//! | rate and concurrency per host, a queue per host, a cap per address | `requests_keep_their_distance_per_host`, `ten_thousand_feeds_of_one_host_cost_nothing_while_they_wait`, `a_busy_host_goes_on_when_a_request_ends_and_holds_nobody_else_up`, `one_address_takes_only_so_many_requests_whatever_the_host` |
//! | a permanent redirect is trusted after three polls of known items | `a_redirect_is_trusted_after_three_polls_of_known_items` |
//! | nothing inside the network is asked for, on no hop; credentials keep to their origin | `special_addresses_are_refused_by_kind`, `a_redirect_to_a_name_inside_is_refused`, `a_name_that_changes_its_mind_gains_nothing`, `a_feed_that_leads_inside_the_network_is_refused`, `credentials_stay_with_their_origin`, `the_egress_proxy_sees_vetted_addresses_never_names`, `requests_go_through_the_egress_proxy_where_one_is_set` |
//! | time and size have limits, bombs stop at them | `a_slow_drip_ends_with_the_total_timeout`, `a_body_longer_than_the_limit_is_refused_announced_or_not`, `a_bomb_stops_at_the_limit` |
//! | an item is its guid, else its link, else what it says; a mass change of guids is no news | `items_without_guid_or_link_keep_their_identity`, `a_change_of_all_guids_is_no_news` |
//! | an edited item is a revision, with a cap | `new_and_changed_items_come_once`, `revisions_keep_their_distance_and_end`, `an_edited_article_is_a_new_revision_and_a_new_one_comes_alone` |
//! | one article from several feeds is one | `one_article_from_several_feeds_is_one` |
//! | future dates are clamped; how sure a date is, is kept and heard | `future_dates_are_clamped`, `a_page_is_believed_where_the_feed_is_not_sure` |
//! | a first import does not flood | `the_first_import_does_not_flood` |
//! | state is small | `a_state_is_small`, `seen_items_survive_their_text` |
//! | WebSub calls are proved by HMAC, leases renewed, polling takes over | `a_hub_that_has_proved_itself_makes_the_feed_be_polled`, `whoever_is_not_the_hub_is_not_heard`, `signatures_of_every_kind_are_checked`, `a_lease_is_renewed_before_it_ends`, `a_hub_that_keeps_news_to_itself_is_not_relied_on`, `a_hub_that_refuses_is_left_alone_and_the_feed_polled_as_before`, `a_subscription_survives_a_restart` |
//! | sitemaps, with news and without, and indexes of them, are feeds | `a_news_sitemap_is_a_feed`, `a_sitemap_of_pages_brings_what_is_new_and_what_changed`, `an_index_is_followed_to_what_changed`, `the_archive_of_an_index_is_no_news` |
//! | archives are taken in without a fetch, once, and what says something else is a revision | `an_archive_comes_through_once_without_a_fetch`, `archives_are_read_to_their_wound` |
//! | feeds are found from a page | `declared_feeds_come_before_links`, `sitemaps_are_found_explained_and_polled` |
//! | OPML in, tolerantly, and out | `opml_as_readers_export_it`, `what_is_written_can_be_read`, `any_text_is_read_or_refused` |
//! | feeds are added, paused, polled now and removed while running | `feeds_come_and_go_while_running`, `feeds_come_and_go_by_file_and_by_command` |
//! | several pollers share the feeds: none is polled by two, forgotten, lost or doubled | `pollers_come_and_go_and_no_feed_is_forgotten_or_polled_by_two` |
//! | kill -9 loses and doubles nothing | `kill_nine_loses_and_doubles_nothing` |
//! | ten thousand feeds are polled in time | `an_hour_of_ten_thousand_feeds_is_in_time_and_forgets_none`, `the_poller_can_be_measured` |

mod archive;
mod canary;
mod health;
mod interval;
mod items;
pub mod list;
mod poll;
mod poller;
mod schedule;
pub mod simulation;
mod sitemap;
mod state;
mod tracked;
pub mod websub;
mod window;

pub use archive::{Archive, PASSED_OVER};
pub use items::ItemRules;
pub use poller::{DEAD_REASONS, DROP_REASONS, Poller, PollerOptions, PollerReport};
