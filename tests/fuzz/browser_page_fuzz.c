/*
 * What a browser says while it shows a page, also requests of the page: the
 * first byte of the input says what is asked for and the size of the pieces it
 * comes in. Nothing is reached: the page is given, and the only host it may
 * load from is one that the egress rules refuse; so do steps, which go to that
 * host. What is extracted is not read here: selector_fuzz, html_fuzz.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "tool-adapter/browser/browser_internal.h"
#include "json/json_text.h"

enum { STEP_MS = 40, TOTAL_MS = 6'000, PIECE_MIN = 16, TURNS_AFTER = 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t clock_of(void *context)
{
    return *(int64_t *)context;
}

static const char steps_text[] =
    "[{\"goto\":\"http://127.0.0.1/"
    "\"},{\"wait_for\":\"p\"},{\"fill\":{\"selector\":\"p\",\"text\":\"x\"}},"
    "{\"type\":{\"selector\":\"p\",\"text\":\"ab\"}},{\"select\":{\"selector\":"
    "\"p\",\"value\":"
    "\"x\"}},"
    "{\"click\":\"p\"},{\"press\":\"Enter\"},{\"scroll\":\"bottom\"},{"
    "\"screenshot\":\"x\"}]";

static struct page_steps *steps_new(void)
{
    CLEANUP(json_unrefp) json list = json_invalid();
    struct page_steps *steps       = NULL;
    status code                    = json_parse(str_from(steps_text), NULL, &list, NULL, NULL);
    ASSERT(code == STATUS_OK);
    code = page_steps_read(list, json_invalid(), NULL, &steps, NULL);
    ASSERT(code == STATUS_OK);
    return steps;
}

static bool ignore(str, void *)
{
    return true;
}

static void count(const struct page_result *result, void *context)
{
    unsigned *ended = context;
    ASSERT(result->fault || result->content.len > 0 || json_count(result->images) == 1);
    (*ended)++;
    ASSERT(*ended == 1);
}

static void talk(struct browser *browser, int64_t *now_ms, str text, size_t step)
{
    status code = STATUS_OK;
    for (size_t at = 0; at < text.len && code == STATUS_OK; at += step) {
        code = wire_hear(browser->wire, str_slice(text, at, at + step), NULL);
        *now_ms += STEP_MS;
        loop_turn(browser->options.loop, 0);
    }
    for (int i = 0; i < TURNS_AFTER; i++) {
        *now_ms += TOTAL_MS / TURNS_AFTER * 2;
        loop_turn(browser->options.loop, 0);
    }
}

static void show(struct browser *browser, int64_t *now_ms, uint8_t wishes, str text)
{
    CLEANUP(json_unrefp) json hosts   = json_array_new(1);
    struct page *page                 = NULL;
    unsigned ended                    = 0;
    const struct wire_options options = {.write = ignore};
    json_array_push(&hosts, json_text_from("127.0.0.1"));
    struct page_steps *steps          = wishes % 4 == PAGE_STEPS ? steps_new() : NULL;
    const struct page_request request = {.product    = (enum page_product)(wishes % 4),
                                         .user_agent = str_from("robot"),
                                         .url        = str_from("http://127.0.0.1/"),
                                         .html       = steps ? (str){} : str_from("<p>Hi"),
                                         .steps      = steps,
                                         .hosts      = hosts,
                                         .wait_for = wishes & 4 && !steps ? str_from("p") : (str){},
                                         .is_whole = wishes & 8,
                                         .total_ms = TOTAL_MS};
    browser->wire                     = wire_new(&options);
    browser->state                    = BROWSER_READY;
    status code                       = page_start(browser, &request, count, &ended, &page, NULL);
    ASSERT(code == STATUS_OK);
    page_steps_unref(steps);
    loop_turn(browser->options.loop, 0);
    talk(browser, now_ms, text, PIECE_MIN + wishes);
    ASSERT(ended == 1); /* its time is over at the latest */
    while (browser->open.first) page_free(browser->open.first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t now_ms                    = 1'000;
    const struct loop_options clocked = {.clock = clock_of, .clock_context = &now_ms};
    struct browser_options options    = {
           .path = "/bin/sh", .pages = 1, .memory_max = 1 << 30, .quiet_ms = 1};
    if (size == 0) return 0;
    status code = http_init(NULL); /* once, whatever is asked */
    ASSERT(code == STATUS_OK);
    code = loop_new(&clocked, &options.loop, NULL);
    ASSERT(code == STATUS_OK && "out of memory");
    const struct http_client_options http = {.loop = options.loop};
    code                                  = http_client_new(&http, &options.http, NULL);
    ASSERT(code == STATUS_OK && "out of memory");
    options.hosts           = hosts_new(options.loop, options.http, NULL);
    struct browser *browser = browser_new(&options);
    show(browser, &now_ms, data[0], (str){.ptr = (const char *)data + 1, .len = size - 1});
    browser_freep(&browser);
    hosts_freep(&options.hosts);
    http_client_freep(&options.http);
    loop_freep(&options.loop);
    return 0;
}
