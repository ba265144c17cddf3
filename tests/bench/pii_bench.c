/* How fast text is looked through for personal data: MB per second of CPU. Clean text is prose with
 * the figures, dates and ids that such text has and nothing to find; the other has a find per 300
 * bytes. */
#include "base/buf.h"
#include "base/random.h"
#include "pii/scrub.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TEXT_MAX = 8 << 20, ROUNDS = 20, OUT_MAX = 64 << 20 };

/* As articles are: a figure now and then. */
static const char *const prose[] = {
    "The workers wait for their leases, and what they did not finish comes back by itself. ",
    "K\xc3\xb6ln and Z\xc3\xbcrich are well-known cities, neither is more than 500 km from Jena. ",
    "Whoever reads this should know: the order was not shipped - it still waits for approval. ",
    "What nobody had asked for was done first; what everybody wanted was left for the autumn. ",
    "She wrote that the report, which had been promised for May, would be there \"very soon\". ",
    "In 2026 there were fourteen releases, of which the third was the one that people remember. ",
};

/* As tables and logs are. */
static const char *const figures[] = {
    "In 2026 there were 14 releases; version 3.12.1 was the first with schedules that skip. ",
    "A run that ended on 2026-11-22T10:20:30Z had 12 tasks, 3 of which were repeated twice. ",
    "Order 48213377 was shipped on 3 May: 12 boxes of 40 x 30 x 20 cm, 118.5 kg in all. ",
    "Prices fell by 2.5 % in March, i.e. the mean of 1,000 offers was 12.40 instead of 12.72. ",
};

static const char *const finds[] = {
    "Write to ann.lee@example.org. ",
    "Call +49 30 901820 or (212) 555-0123. ",
    "It was paid with 4111 1111 1111 1111. ",
    "The account is DE89 3704 0044 0532 0130 00. ",
    "It came from 192.0.2.17. ",
};

static void fill(struct buf *text, const char *const *sentences, size_t count, bool is_clean)
{
    struct prng prng = {.state = 1};
    for (size_t i = 0; text->len + 256 < TEXT_MAX; i++) {
        uint64_t drawn = prng_next(&prng);
        (void)buf_put_text(text, sentences[drawn % count]);
        if (is_clean || i % 3) continue;
        (void)buf_put_text(text, finds[(drawn >> 32) % (sizeof finds / sizeof *finds)]);
    }
}

static int64_t cpu_us(void)
{
    struct timespec used = {};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * INT64_C(1'000'000) + used.tv_nsec / 1'000;
}

static void report(const char *what, int64_t us, size_t size)
{
    (void)printf("%-14s %8.1f MB/s\n", what, (double)size * ROUNDS / (double)us);
}

static void measure_scan(const char *what, str text, bool is_clean)
{
    int64_t start = cpu_us();
    for (int i = 0; i < ROUNDS; i++) {
        bool is_empty = pii_kinds_in(text, PII_DEFAULT) == 0;
        if (is_empty != is_clean) abort();
    }
    report(what, cpu_us() - start, text.len);
}

static void measure_mask(str text)
{
    const struct scrub_options options = {.mode = PII_MASK, .kinds = PII_DEFAULT};
    CLEANUP(buf_done) struct buf out   = buf_init(OUT_MAX);
    int64_t start                      = cpu_us();
    for (int i = 0; i < ROUNDS; i++) {
        CLEANUP(scrub_freep) struct scrub *scrub = scrub_new(&options);
        buf_clear(&out);
        if (!scrub_text(scrub, text, &out)) abort();
    }
    report("mask", cpu_us() - start, text.len);
}

#define FILL(text, sentences, is_clean)                                                            \
    fill(text, sentences, sizeof(sentences) / sizeof *(sentences), is_clean)

int main(void)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    FILL(&text, prose, true);
    measure_scan("clean_prose", buf_str(&text), true);
    buf_clear(&text);
    FILL(&text, figures, true);
    measure_scan("clean_figures", buf_str(&text), true);
    buf_clear(&text);
    FILL(&text, prose, false);
    measure_scan("with_finds", buf_str(&text), false);
    measure_mask(buf_str(&text));
    return 0;
}
