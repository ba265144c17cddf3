/**
 * browser: pages as a person would see them, JavaScript included: their HTML, pictures, PDF.
 *
 * There is one browser in a process. It is started for the first page, shows `pages` at a time,
 * each in a context of its own (cookies, storage) that goes with it, and ends when nobody needed it
 * for BROWSER_IDLE_MS, after BROWSER_PAGES_MAX pages, or when it takes more memory than it may: at
 * `memory_max` it gets no more pages, at twice that it is ended at once. Ended, hung or crashed, it
 * takes its open pages along ("browser", UNAVAILABLE); those that wait get a new one.
 *
 * Whatever a page wants is fetched by our client, past the egress rules (page_fetch.c): the browser
 * has no network. Manners are those of hosts.h: robots.txt for all, turns for documents.
 *
 * Threads: belongs to the loop; `done` never comes from inside page_start().
 */
#ifndef TOOL_ADAPTER_BROWSER_BROWSER_H
#define TOOL_ADAPTER_BROWSER_BROWSER_H

#include "http/http.h"
#include "loop/work_pool.h"
#include "tool-adapter/browser/steps.h"
#include "tool-adapter/connections/hosts.h"
#include "json/json.h"

enum {
    BROWSER_PAGES_MAX   = 200,    /* of one browser, one after the other */
    BROWSER_IDLE_MS     = 60'000, /* without a page */
    BROWSER_START_MS    = 30'000,
    BROWSER_CLOSE_MS    = 15'000, /* for a page to go away, and for the browser */
    BROWSER_LOOK_MS     = 1'000,  /* between two looks at its memory */
    BROWSER_WAITING_MAX = 1'000,
    PAGE_REQUESTS_MAX   = 1'000,
    PAGE_CONCURRENT     = 8,        /* requests of one page */
    PAGE_RESOURCE_MAX   = 10 << 20, /* bytes of one answer */
    PAGE_BYTES_MAX      = 64 << 20, /* of all of them */
    PAGE_FRAMES_MAX     = 100,      /* other sites within it, and workers */
    PAGE_SAID_MAX     = 32 << 20, /* bytes of what it says by itself: its requests, what it sends */
    PAGE_WINDOWS_MAX  = 10,       /* that it opens; nobody looks at them */
    PAGE_HTML_MAX     = 10 << 20, /* characters */
    PAGE_SIDE_MAX     = 16'384,   /* pixels of a picture's side, and below of all of it */
    PAGE_PIXELS_MAX   = 32'000'000,
    PAGE_REQUEST_MS   = 30'000,
    PAGE_QUIET_MS     = 500,   /* without a request: it has what it wants */
    PAGE_SETTLE_MS    = 5'000, /* and after so long it is taken as it is */
    PAGE_POLL_MS      = 100,
    PAGE_AGENT_MAX    = 300,
    PAGE_EVALUATE_MS  = 10'000,
    PAGE_TEMPLATE_MAX = 4 << 20, /* bytes of HTML that is given */
    PAGE_ANSWER_MAX   = 8 << 20, /* bytes of a picture or PDF, in base64 */
    PAGE_TEMPLATE_HOSTS = 64,
    PAGE_VIEW_WIDTH     = 1'280,
    PAGE_VIEW_HEIGHT    = 720,
};

struct browser;
struct page;

struct browser_options {
    struct loop *loop; /* all borrowed; they outlive it */
    struct work_pool *pool;
    struct http_client *http;
    struct hosts *hosts;
    const char *path, *folder; /* chromium.h */
    bool has_sandbox;
    bool is_root;        /* this process: then there is no sandbox to be had */
    unsigned pages;      /* at a time */
    uint64_t memory_max; /* bytes */
    int64_t close_ms;    /* 0: BROWSER_CLOSE_MS; less in tests, as the next */
    int64_t quiet_ms;    /* 0: PAGE_QUIET_MS */
    int64_t look_ms;     /* 0: BROWSER_LOOK_MS */
    unsigned pages_max;  /* 0: BROWSER_PAGES_MAX */
    size_t said_max;     /* 0: PAGE_SAID_MAX */
    int64_t idle_ms;     /* 0: BROWSER_IDLE_MS */
};

/** Starts nothing yet. Owned: browser_freep(). */
struct browser *browser_new(const struct browser_options *options);
/** No page may wait or be open but those that are closing. NULL is fine. */
void browser_freep(struct browser **browser);

/** FAILED_PRECONDITION: there is no program, or root wants it with its sandbox; the text names the
 * setting and what to do. */
status browser_check(const struct browser *browser, struct error *reterr);

enum page_product { PAGE_HTML, PAGE_PICTURE, PAGE_PDF, PAGE_STEPS };

struct page_request {
    enum page_product product;
    str url;  /* http or https; copied, as all texts; empty: `html` is the page */
    str html; /* a page that is given: it reaches `hosts` alone */
    json hosts;
    struct page_steps *steps; /* of PAGE_STEPS: `url` is that of the first; the page holds them */
    bool accepts_dialogs;     /* what a page asks is answered with yes */
    str user_agent;
    str wait_for; /* a CSS selector that has to match; empty: nothing */
    /* Addresses that the egress rules open, on the host of `url` only, or those that steps go to.
     */
    bool allow_private;
    str proxy; /* as of http.h: what it loads comes by it; empty: none */
    int64_t total_ms;
    int64_t width, height; /* of the window, CSS pixels; 0: PAGE_VIEW_* */
    double scale;          /* pixels per CSS pixel; 0: 1 */
    bool is_whole;         /* a picture of all of it, not of the window */
    json settings;         /* of Page.captureScreenshot or Page.printToPDF */
    const struct json_mask
        *mask; /* of what must not be seen of its words; NULL: nothing; borrowed */
};

struct page_result {
    /* NULL: it went well. Else as visit.h, and "browser": it ended or did not start. */
    const char *fault;
    status code;      /* of a fault: OK if an answer came, with `http_status` */
    int http_status;  /* of the document; 0: there was none */
    str url;          /* where it is, after redirects */
    str content;      /* HTML in UTF-8; a picture or PDF in base64; of steps empty */
    json data;        /* of steps: what they extracted, */
    json images;      /* and files of their pictures by name */
    bool has_changed; /* of steps, also of a fault: what they did may have changed something */
    str retry_after;
    struct error error; /* without path and query */
};

/** `*ret_page` is valid until `done`, which comes exactly once, or page_cancel().
 * FAILED_PRECONDITION as browser_check(); INVALID_ARGUMENT: the URL or a size;
 * RESOURCE_EXHAUSTED: BROWSER_WAITING_MAX. */
status page_start(struct browser *browser, const struct page_request *request,
                  void (*done)(const struct page_result *result, void *context), void *context,
                  struct page **ret_page, struct error *reterr);
void page_cancel(struct page *page);

#endif
