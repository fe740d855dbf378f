//! A picture from a link, typed in or dropped: fetched by this browser from the site itself, with no server between.

use js_sys::Reflect;
use leptos::html;
use leptos::prelude::*;
use web_sys::{AbortController, DataTransfer, RequestInit, RequestMode, Url};

use super::browser::Store;
use super::focus::focus;
use crate::app::follow::follow;
use crate::state::{Event, PictureFile};
use crate::text;
use protocol::download::{DownloadError, Limits, download};
use protocol::js::describe;
use terms::picture::MAX_FILE_BYTES;

/// What always helps.
const SAVE_IT: &str = "Save the picture and open the file.";

/// Fetches pictures from links, one at a time. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(super) struct Links {
    store: Store,
    /// The host that is being asked.
    asking: RwSignal<Option<String>>,
    /// Ends what is under way.
    connection: StoredValue<Option<AbortController>, LocalStorage>,
}

impl Links {
    pub(super) fn new(store: Store) -> Self {
        Self { store, asking: RwSignal::new(None), connection: StoredValue::new_local(None) }
    }

    /// Fetches the picture at an address and opens it; says why, if it cannot be had.
    pub(super) fn open(self, address: &str) {
        let opened = allowed(address).and_then(|url| {
            // One that is under way is not wanted any more.
            self.stop();
            Ok((url, AbortController::new().map_err(|_| "This browser cannot fetch links.".to_owned())?))
        });
        let (url, connection) = match opened {
            Ok(opened) => opened,
            Err(message) => return self.store.dispatch(Event::Trouble(message)),
        };
        self.connection.set_value(Some(connection.clone()));
        self.asking.set(Some(url.host()));
        self.store.pick(async move {
            let picture = fetch(&url, &connection).await;
            // Unless another one has taken its place.
            let ours = self.connection.try_with_value(|current| current.as_ref() == Some(&connection));
            if ours == Some(true) {
                self.connection.set_value(None);
                self.asking.set(None);
            }
            let online = window().navigator().on_line();
            let bytes = picture.map_err(|error| words(&error, &url.host(), online))?;
            let source = Some(format!("from {}", url.host())).filter(|_| !url.host().is_empty());
            Ok(PictureFile { bytes: bytes.into(), title: title(&url), label: None, source, sample: None })
        });
    }

    /// Fetches the picture of a link that was dropped; gives whether it was one.
    pub(super) fn open_dropped(self, data: &DataTransfer) -> bool {
        let dropped = |kind| data.get_data(kind).unwrap_or_default();
        // A picture may stand in a link to something else.
        let address = picture_in(&dropped("text/html")).filter(|address| allowed(address).is_ok());
        match address.or_else(|| first_link(&dropped("text/uri-list"))) {
            Some(address) => {
                self.open(&address);
                true
            }
            None => false,
        }
    }

    fn stop(self) {
        if let Some(Some(connection)) = self.connection.try_update_value(Option::take) {
            connection.abort();
        }
        self.asking.set(None);
    }
}

/// Shows a field for the link.
#[component]
pub(super) fn LinkForm() -> impl IntoView {
    let links = expect_context::<Links>();
    let field = NodeRef::<html::Input>::new();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if let Some(field) = field.get_untracked() {
            links.open(field.value().trim());
        }
    };
    let stop = move |_| {
        links.stop();
        // The button is gone.
        focus(field);
    };
    let waiting = move || {
        links.asking.get().map(|host| {
            view! {
                <span>{format!("Fetching it from {host}…")}</span>
                <button type="button" class="plain" data-testid="link-stop" on:click=stop>"Stop"</button>
            }
        })
    };
    view! {
        // The browser's own bubbles say less than the page.
        <form class="link-form" novalidate on:submit=submit>
            <label for="picture-link">"Or a link to a picture"</label>
            <div class="link-row">
                <input
                    node_ref=field
                    id="picture-link"
                    type="url"
                    inputmode="url"
                    placeholder="https://…"
                    autocomplete="off"
                    autocapitalize="none"
                    spellcheck="false"
                    aria-describedby="picture-link-note"
                    data-testid="link-input"
                />
                <button type="submit" data-testid="link-open">"Fetch"</button>
            </div>
            // Always there, since it is read out.
            <p class="link-status" role="status" data-testid="link-status">{follow(waiting)}</p>
            <p class="hint" id="picture-link-note">
                "The picture is fetched from that site to this browser; it is sent nowhere. That site learns that "
                "somebody asked for it, as with any link."
            </p>
        </form>
    }
}

/// Says why there is no picture, and what to do.
fn words(error: &DownloadError, host: &str, online: bool) -> String {
    let site = if host.is_empty() { "That site" } else { host };
    match error {
        // The browser may not read it, or there was no answer: it does not say which.
        DownloadError::Unreachable(_) if !online => {
            "There is no connection to the network, and a link needs one. Open a file instead.".into()
        }
        DownloadError::Unreachable(_) => {
            format!("That site does not let other pages read its pictures, or it does not answer ({site}). {SAVE_IT}")
        }
        DownloadError::Status(404 | 410) => format!("{site} has no picture at this address. Check the link."),
        DownloadError::Status(status) => {
            format!("{site} does not give this picture away (it answered {status}). {SAVE_IT}")
        }
        DownloadError::TooLarge(most) => format!(
            "The file is too large: at most {} are read. Save the picture smaller, as a JPEG for example, and open the file.",
            text::bytes(*most)
        ),
        DownloadError::Silent(seconds) => {
            format!(
                "{site} sent nothing for {seconds} seconds. Try again later, or save the picture and open the file."
            )
        }
        DownloadError::Stopped => "The picture was not fetched, since you stopped it.".into(),
        DownloadError::BrokeOff(_) | DownloadError::WebPage => {
            format!("The connection to {site} broke off before the picture was here. Try again.")
        }
    }
}

/// Returns the address, if a picture may be fetched from there.
fn allowed(address: &str) -> Result<Url, String> {
    if address.is_empty() {
        return Err("There is no link. A picture’s address begins with https://.".into());
    }
    let url = Url::new(address).map_err(|_| {
        "That is no complete address. A picture’s address begins with https://; “Copy image address” in a browser’s menu \
         gives it."
    })?;
    // This page's own host may be this very computer, where there is no https.
    let own = window().location().hostname().is_ok_and(|own| own == url.hostname() && url.protocol() == "http:");
    if url.protocol() == "https:" || own || address.starts_with("data:image/") {
        return Ok(url);
    }
    Err(format!(
        "Pictures are fetched from https addresses only, and this one begins with “{}”. {SAVE_IT}",
        url.protocol()
    ))
}

/// Returns the bytes at an address, as far as they may be read.
async fn fetch(url: &Url, connection: &AbortController) -> Result<Vec<u8>, DownloadError> {
    let options = RequestInit::new();
    options.set_mode(RequestMode::Cors);
    // Neither cookies of the site nor the address of this page are sent.
    for (name, value) in [("credentials", "omit"), ("referrerPolicy", "no-referrer")] {
        Reflect::set(&options, &name.into(), &value.into())
            .map_err(|error| DownloadError::Unreachable(describe(&error)))?;
    }
    // What a web page is, is said where pictures are decoded.
    let limits = Limits { most_bytes: MAX_FILE_BYTES as u64, web_page: true, ..Limits::default() };
    let mut bytes = Vec::new();
    download(&url.href(), &options, connection, limits, &mut bytes, |_| {}).await?;
    Ok(bytes)
}

/// Returns what to call the picture: its file's name, or its site.
fn title(url: &Url) -> String {
    if url.protocol() == "data:" {
        return "From a link".into();
    }
    let path = url.pathname();
    let name = file_name(&path);
    let decoded = js_sys::decode_uri_component(name).ok().map(String::from);
    decoded.filter(|name| !name.is_empty()).unwrap_or_else(|| url.host())
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Returns the address of the first picture in a piece of a web page, as browsers pass it on when the picture is dropped.
fn picture_in(html: &str) -> Option<String> {
    let tag = &html[html.find("<img")?..];
    let value = tag.split_once(" src=\"")?.1.split_once('"')?.0;
    Some(value.replace("&amp;", "&"))
}

/// Returns the first address of a list of links: one a line, with comments after `#`.
fn first_link(list: &str) -> Option<String> {
    let links = list.lines().map(str::trim);
    links.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dropped_is_found() {
        let html = r#"<meta charset="utf-8"><a href="https://a.org/page"><img alt="5 > 3" src="https://a.org/x.png?a=1&amp;b=2"></a>"#;
        assert_eq!(picture_in(html).as_deref(), Some("https://a.org/x.png?a=1&b=2"));
        assert_eq!(picture_in("<p>no picture</p> src=\"x\""), None);
        assert_eq!(picture_in("<img alt=\"\">"), None);
        assert_eq!(first_link("# my links\r\n\r\nhttps://a.org/\r\nhttps://b.org/").as_deref(), Some("https://a.org/"));
        assert_eq!([first_link(""), first_link("# nothing")], [None, None]);
    }

    #[test]
    fn a_picture_is_called_after_its_file() {
        assert_eq!(["/a/b/cat.png", "/", "", "/a/"].map(file_name), ["cat.png", "", "", ""]);
    }

    #[test]
    fn every_trouble_says_what_to_do() {
        let troubles = [
            DownloadError::Unreachable(String::new()),
            DownloadError::Status(404),
            DownloadError::Status(403),
            DownloadError::TooLarge(MAX_FILE_BYTES as u64),
            DownloadError::Silent(15),
            DownloadError::BrokeOff(String::new()),
        ];
        for (trouble, online) in troubles.iter().flat_map(|trouble| [(trouble, true), (trouble, false)]) {
            let words = words(trouble, "a.org", online);
            let advice = ["Save", "Check", "Try", "Open"];
            assert!(advice.iter().any(|word| words.contains(word)) && words.ends_with('.'), "{words}");
        }
        assert!(words(&DownloadError::Silent(15), "a.org", true).contains("15 seconds"));
        assert!(words(&DownloadError::Status(404), "", true).starts_with("That site"));
    }
}
