/* How long a page of 2 MB takes: read, queried with twenty selectors, and freed; milliseconds of
 * CPU, the best and the median of several rounds. */
#include "base/buf.h"
#include "base/random.h"
#include "html/extract.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 21, PAGE_SIZE = 2'000'000 };

static const char fields[] =
    "{\"title\": {\"first\": \"title\"}, \"h\": \"h1, h2\", \"links\": \"a@href\","
    "\"tags\": \"article > ul li.tag\", \"second\": \"li:nth-child(2)\","
    "\"bold\": \"p.text b:not(em)\", \"after\": \"h2 + p\", \"with\": "
    "\"article:has(span.price)@data-id\","
    "\"items\": {\"all\": \".card\", \"fields\": {\"id\": \"@data-id\", \"name\": {\"first\": \"h2 "
    "a\"}, \"to\": {\"first\": \"a@href\"}, \"price\": {\"first\": \".price\"}, \"currency\": "
    "{\"first\": \"[data-c=EUR]@data-c\"}, \"tags\": \"li\"}}}";

static const char *const words[] = {"lorem", "ipsum", "dolor",  "sit",     "amet",
                                    "elit",  "sed",   "tempor", "eiusmod", "incididunt"};

static void put_words(struct buf *out, struct prng *prng, int count)
{
    for (int i = 0; i < count; i++) {
        (void)buf_printf(out, "%s ", words[prng_next(prng) % (sizeof words / sizeof words[0])]);
    }
}

/* A shop's list: what people scrape, and more tags for each byte than prose has. */
static void put_card(struct buf *out, struct prng *prng)
{
    unsigned id = (unsigned)(prng_next(prng) % 1'000'000);
    (void)buf_printf(
        out,
        "<article class=\"card item%u\" data-id=\"%u\"><h2><a href=\"/p/%u?a=1&amp;b=2\" "
        "title=\"x\">",
        id % 7, id, id);
    put_words(out, prng, 5);
    (void)buf_put_text(out, "</a></h2><p class=\"text\">");
    put_words(out, prng, 30);
    (void)buf_put_text(out, "&amp; <b>bold</b> <em>more</em></p><ul>");
    for (int i = 0; i < 4; i++) {
        (void)buf_printf(out, "<li class=\"tag t%d\">%s</li>", i, words[prng_next(prng) % 10]);
    }
    (void)buf_put_text(out, "</ul><span class=\"price\" data-c=EUR>12.50</span></article>\n");
}

static int64_t cpu_us(void)
{
    struct timespec used = {};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * INT64_C(1'000'000) + used.tv_nsec / 1'000;
}

static int by_value(const void *a, const void *b)
{
    int64_t left  = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void report(const char *what, int64_t *us)
{
    qsort(us, ROUNDS, sizeof *us, by_value);
    int64_t median_us = us[ROUNDS / 2];
    (void)printf("%-22s %8.1f ms\n", what, (double)median_us / 1e3);
}

int main(void)
{
    struct prng prng                  = {.state = 1};
    CLEANUP(buf_done) struct buf page = buf_init(PAGE_SIZE + 4'096);
    (void)buf_put_text(&page,
                       "<!doctype html><html><head><title>Shop</title></head><body><h1>Shop</h1>");
    while (page.len < PAGE_SIZE) put_card(&page, &prng);

    CLEANUP(json_unrefp) json given                         = json_null();
    CLEANUP(extraction_freep) struct extraction *extraction = NULL;
    if (json_parse(str_from(fields), NULL, &given, NULL, NULL) != STATUS_OK) abort();
    if (extraction_read(given, &extraction, NULL) != STATUS_OK) abort();
    int64_t parse_us[ROUNDS];
    int64_t query_us[ROUNDS];
    int64_t all_us[ROUNDS];
    uint32_t nodes = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct html_document *document = NULL;
        json data                      = json_null();
        size_t found                   = 0;
        int64_t start                  = cpu_us();
        if (html_parse(buf_str(&page), &document, NULL) != STATUS_OK) abort();
        int64_t parsed = cpu_us();
        if (extraction_run(extraction, document, str_from("https://a.test/"), &data, &found,
                           NULL) != STATUS_OK) {
            abort();
        }
        int64_t queried = cpu_us();
        nodes           = html_node_count(document);
        json_unref(data);
        html_free(document);
        parse_us[i] = parsed - start;
        query_us[i] = queried - parsed;
        all_us[i]   = cpu_us() - start;
    }
    (void)printf("page                   %8.1f MB, %u nodes\n", (double)page.len / 1e6, nodes);
    report("parse", parse_us);
    report("query", query_us);
    report("parse, query and free", all_us);
    return 0;
}
