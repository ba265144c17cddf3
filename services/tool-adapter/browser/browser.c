#include "tool-adapter/browser/browser_internal.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void set_patience(struct browser *browser, int64_t ms)
{
    loop_timer_set(browser->options.loop, &browser->patience,
                   loop_now_ms(browser->options.loop) + ms);
}

void page_list_put(struct page_list *list, struct page *page)
{
    page->list                                       = list;
    page->next                                       = NULL;
    page->previous                                   = list->last;
    *(list->last ? &list->last->next : &list->first) = page;
    list->last                                       = page;
    list->count++;
}

void page_list_remove(struct page *page)
{
    struct page_list *list                                   = page->list;
    *(page->previous ? &page->previous->next : &list->first) = page->next;
    *(page->next ? &page->next->previous : &list->last)      = page->previous;
    list->count--;
    page->list = NULL;
}

void browser_pump(struct browser *browser)
{
    loop_timer_set(browser->options.loop, &browser->pump, loop_now_ms(browser->options.loop));
}

/* --- its end ---------------------------------------------------------------------------------- */

void browser_end(struct browser *browser, const char *why)
{
    if (!browser->chromium) return;
    if (!browser->why) browser->why = why;
    browser->state = BROWSER_ENDING;
    chromium_kill(browser->chromium);
}

/* What it said last, as one line: why it did not start, as a rule. */
static void last_words(str words, char *ret_line, size_t size)
{
    while (words.len > 0 && (unsigned char)words.ptr[words.len - 1] <= ' ') words.len--;
    const char *end = words.len > 0 ? memrchr(words.ptr, '\n', words.len) : NULL;
    if (end) words = str_slice(words, (size_t)(end - words.ptr) + 1, words.len);
    (void)snprintf(ret_line, size, STR_FMT, STR_ARG(words));
    for (char *c = ret_line; *c; c++) {
        if (*c < ' ' || *c > '~') *c = '?';
    }
}

static void fail_pages(struct page_list *list, const char *what, const char *why)
{
    while (list->first) {
        struct page *page = list->first;
        (void)snprintf(page->result.error.text, sizeof page->result.error.text,
                       "the browser %s: %.120s", what, why);
        page->result.fault = "browser";
        page->result.code  = STATUS_UNAVAILABLE;
        page->is_closing   = true; /* it went with the browser */
        page_finish(page);
        page_free(page);
    }
}

static void forget_browser(struct browser *browser)
{
    wire_freep(&browser->wire);
    chromium_freep(&browser->chromium);
    loop_timer_clear(browser->options.loop, &browser->patience);
    loop_timer_clear(browser->options.loop, &browser->look);
    browser->served = 0;
    browser->why    = NULL;
    browser->state  = BROWSER_NONE;
}

/* zygote_host_impl_linux.cc: what it says if it may make no user namespace. */
static bool lacks_sandbox(str words)
{
    static const char said[] = "No usable sandbox";
    return words.len > 0 && memmem(words.ptr, words.len, said, sizeof said - 1);
}

static void has_ended(str words, void *context)
{
    struct browser *browser = context;
    bool is_new             = browser->state == BROWSER_STARTING;
    bool is_expected        = browser->state == BROWSER_ENDING && !browser->why;
    const char *why         = browser->why ? browser->why : "by itself";
    char line[128];
    last_words(words, line, sizeof line);
    if (is_new || browser->why) why = browser->why ? browser->why : line;
    if (is_new && lacks_sandbox(words)) {
        why = "its sandbox needs user namespaces, which this system or container denies it";
    }
    if (!is_expected) {
        log_write(LOG_WARN, "browser.ended", LOG_TEXT_OF("why", why), LOG_TEXT_OF("words", line),
                  LOG_INT("pages", browser->open.count));
    }
    fail_pages(&browser->open, "ended while it showed the page", why);
    if (is_new) fail_pages(&browser->waiting, "did not start", why);
    forget_browser(browser);
    browser_pump(browser);
}

static void patience_is_over(void *context)
{
    struct browser *browser = context;
    if (browser->state == BROWSER_STARTING) {
        browser->why = "it said nothing for too long";
        chromium_kill(browser->chromium);
    } else if (browser->open.count == 0) {
        browser->state = BROWSER_ENDING;
        chromium_kill(browser->chromium);
    }
}

/* --- its memory ------------------------------------------------------------------------------- */

static void set_look(struct browser *browser)
{
    loop_timer_set(browser->options.loop, &browser->look,
                   loop_now_ms(browser->options.loop) + browser->options.look_ms);
}

static void processes_are(json result, const char *, void *context)
{
    struct browser *browser = context;
    json list               = json_get_text(result, "processInfo");
    uint64_t total          = 0;
    for (size_t i = 0; i < json_count(list); i++) {
        int64_t pid = 0;
        json id     = json_get_text(json_at(list, i), "id");
        if (json_is_number(id) && json_to_int(id, &pid)) total += chromium_memory_of(pid);
    }
    if (total <= browser->options.memory_max) return;
    if (browser->state == BROWSER_READY) browser->state = BROWSER_RETIRED;
    log_write(LOG_INFO, "browser.large", LOG_INT("bytes", (int64_t)total));
    if (total > 2 * browser->options.memory_max) browser_end(browser, "it took too much memory");
    browser_pump(browser);
}

static void look(void *context)
{
    struct browser *browser = context;
    if (!browser->wire || browser->open.count == 0) return;
    const struct wire_command ask = {
        .method = "SystemInfo.getProcessInfo", .answer = processes_are, .context = browser};
    wire_send(browser->wire, &ask);
    set_look(browser);
}

/* --- its beginning ---------------------------------------------------------------------------- */

static void came(str piece, void *context)
{
    struct browser *browser = context;
    struct error error      = {};
    if (browser->state == BROWSER_ENDING) return;
    if (wire_hear(browser->wire, piece, &error) == STATUS_OK) return;
    browser_end(browser, "what it says is no message of a browser");
}

static bool write_to(str message, void *context)
{
    struct browser *browser = context;
    return chromium_write(browser->chromium, message);
}

static void is_there(json, const char *error, void *context)
{
    struct browser *browser = context;
    if (browser->state != BROWSER_STARTING) return;
    if (error) {
        browser->why = "it does not say what it is";
        chromium_kill(browser->chromium);
        return;
    }
    loop_timer_clear(browser->options.loop, &browser->patience);
    browser->state = BROWSER_READY;
    browser_pump(browser);
}

static status start(struct browser *browser, struct error *reterr)
{
    const struct browser_options *given   = &browser->options;
    const struct chromium_options options = {.loop        = given->loop,
                                             .pool        = given->pool,
                                             .path        = given->path,
                                             .folder      = given->folder,
                                             .has_sandbox = given->has_sandbox,
                                             .came        = came,
                                             .ended       = has_ended,
                                             .context     = browser};
    const struct wire_options wire        = {.write = write_to, .context = browser};
    TRY(chromium_start(&options, &browser->chromium, reterr));
    browser->wire                 = wire_new(&wire);
    browser->state                = BROWSER_STARTING;
    const struct wire_command ask = {
        .method = "Browser.getVersion", .answer = is_there, .context = browser};
    set_patience(browser, BROWSER_START_MS);
    wire_send(browser->wire, &ask);
    return STATUS_OK;
}

static void open_next(struct browser *browser)
{
    struct page *page = browser->waiting.first;
    page_list_remove(page);
    page_list_put(&browser->open, page);
    browser->served++;
    if (browser->served == browser->options.pages_max) browser->state = BROWSER_RETIRED;
    loop_timer_clear(browser->options.loop, &browser->patience);
    if (!loop_timer_is_set(&browser->look)) set_look(browser);
    page_open(page);
}

static void pump(void *context)
{
    struct browser *browser = context;
    struct error error      = {};
    if (browser->state == BROWSER_NONE && browser->waiting.first) {
        if (start(browser, &error) != STATUS_OK) {
            fail_pages(&browser->waiting, "did not start", error.text);
        }
        return;
    }
    while (browser->state == BROWSER_READY && browser->waiting.first &&
           browser->open.count < browser->options.pages) {
        open_next(browser);
    }
    if (browser->open.count > 0) return;
    if (browser->state == BROWSER_RETIRED) {
        browser->state = BROWSER_ENDING;
        chromium_kill(browser->chromium);
    } else if (browser->state == BROWSER_READY) {
        set_patience(browser, browser->options.idle_ms);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

struct browser *browser_new(const struct browser_options *options)
{
    struct browser *browser   = mem_new(1, sizeof *browser);
    browser->options          = *options;
    browser->options.close_ms = options->close_ms > 0 ? options->close_ms : BROWSER_CLOSE_MS;
    browser->options.quiet_ms = options->quiet_ms > 0 ? options->quiet_ms : PAGE_QUIET_MS;
    browser->options.look_ms  = options->look_ms > 0 ? options->look_ms : BROWSER_LOOK_MS;
    browser->options.idle_ms  = options->idle_ms > 0 ? options->idle_ms : BROWSER_IDLE_MS;
    if (options->said_max == 0) browser->options.said_max = PAGE_SAID_MAX;
    if (options->pages_max == 0) browser->options.pages_max = BROWSER_PAGES_MAX;
    browser->pump     = (struct loop_timer){.fire = pump, .context = browser};
    browser->patience = (struct loop_timer){.fire = patience_is_over, .context = browser};
    browser->look     = (struct loop_timer){.fire = look, .context = browser};
    return browser;
}

void browser_freep(struct browser **ref)
{
    struct browser *browser = *ref;
    if (!browser) return;
    ASSERT(browser->waiting.count == 0);
    while (browser->open.first) {
        ASSERT(browser->open.first->is_closing);
        page_free(browser->open.first);
    }
    forget_browser(browser);
    loop_timer_clear(browser->options.loop, &browser->pump);
    free(browser);
    *ref = NULL;
}

status browser_check(const struct browser *browser, struct error *reterr)
{
    if (browser->options.has_sandbox && browser->options.is_root) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "the browser has no sandbox as root: run the tool-adapter as another user (for "
                    "tests alone: tools.browser.sandbox: false)");
    }
    return chromium_check(browser->options.path, reterr);
}
