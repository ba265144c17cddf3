/* How fast a realistic document is parsed and printed: MB per second of CPU, so that what else runs
 * on the machine counts little. */
#include "base/buf.h"
#include "base/random.h"
#include "json/json.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    RECORDS    = 4000,
    ROUNDS     = 30,
    TEXT_MAX   = 64 << 20, /* bytes */
    VALUES_MAX = 10'000'000,
};

/* A page of run events: ids, times, numbers, labels, nested output and prose with some escapes. */
static void put_record(struct buf *out, struct prng *prng)
{
    uint64_t a = prng_next(prng);
    uint64_t b = prng_next(prng);
    (void)buf_printf(out,
                     "{\"id\":\"01JD%022llX\",\"sequence\":%llu,\"type\":\"task.completed\","
                     "\"time\":\"2026-11-22T10:%02llu:%02llu.%03lluZ\",\"task\":\"/do/2/review/do/"
                     "0/openPullRequest\",\"attempt\":%llu,\"is_final\":%s,\"parent\":null,",
                     (unsigned long long)a, (unsigned long long)(b % 100000),
                     (unsigned long long)(a % 60), (unsigned long long)(b % 60),
                     (unsigned long long)(a % 1000), (unsigned long long)(b % 4 + 1),
                     a & 1 ? "true" : "false");
    (void)buf_printf(out,
                     "\"usage\":{\"input_tokens\":%llu,\"output_tokens\":%llu,\"cost_usd\":%.4f,"
                     "\"score\":%.17g},\"labels\":[\"team-%llu\",\"prod\",\"eu-west-1\"],",
                     (unsigned long long)(a % 20000), (unsigned long long)(b % 4000),
                     (double)(a % 100000) / 10000, (double)(b >> 11) * 0x1p-53,
                     (unsigned long long)(b % 20));
    (void)buf_printf(
        out,
        "\"output\":{\"title\":\"Fix the flaky test\",\"body\":\"The test waited for a timer.\\n\\n"
        "It now drives the clock by hand, so that the order of events is the same each time; see "
        "\\\"clock.h\\\" for how. Gr\xc3\xb6\xc3\x9f"
        "e: %llu bytes.\",\"url\":\"https://example.org/pull/%llu\"}}",
        (unsigned long long)(a % 9999), (unsigned long long)(b % 9999));
}

static int64_t cpu_us(void)
{
    struct timespec used = {};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * INT64_C(1'000'000) + used.tv_nsec / 1'000;
}

static void report(const char *what, int64_t us, size_t size)
{
    double total = (double)size * ROUNDS;
    (void)printf("%-14s %8.1f MB/s\n", what, total / (double)us);
}

int main(void)
{
    struct prng prng                  = {.state = 1};
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    for (int i = 0; i < RECORDS; i++) {
        (void)buf_put_byte(&text, i == 0 ? '[' : ',');
        put_record(&text, &prng);
    }
    (void)buf_put_byte(&text, ']');

    const struct json_limits limits  = {.values_max = VALUES_MAX};
    CLEANUP(buf_done) struct buf out = buf_init(TEXT_MAX);
    int64_t parse_us                 = 0;
    int64_t free_us                  = 0;
    int64_t print_us                 = 0;
    int64_t sorted_us                = 0;
    for (int i = 0; i < ROUNDS; i++) {
        json value    = json_null();
        int64_t start = cpu_us();
        if (json_parse(buf_str(&text), &limits, &value, NULL, NULL) != STATUS_OK) abort();
        int64_t parsed = cpu_us();
        buf_clear(&out);
        if (!json_print(value, JSON_COMPACT, &out)) abort();
        int64_t printed = cpu_us();
        buf_clear(&out);
        if (!json_print(value, JSON_SORTED, &out)) abort();
        int64_t sorted = cpu_us();
        json_unref(value);
        parse_us += parsed - start;
        print_us += printed - parsed;
        sorted_us += sorted - printed;
        free_us += cpu_us() - sorted;
    }
    (void)printf("document       %8.1f MB\n", (double)text.len / 1e6);
    report("parse", parse_us, text.len);
    report("parse and free", parse_us + free_us, text.len);
    report("print", print_us, text.len);
    report("print sorted", sorted_us, text.len);
    return 0;
}
