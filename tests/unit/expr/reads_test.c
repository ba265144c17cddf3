/* Which members of its input a program reads: what is told, in which order, and what is not. */
#include "expr/reads.h"

#include "base/attr.h"
#include "base/buf.h"
#include "support/cmocka.h"

#include <string.h>

enum { TOLD_MAX = 4 << 10 };

static void tell(const struct expr_read *read, void *context)
{
    struct buf *told = context;
    if (told->len > 0) (void)buf_put_byte(told, ' ');
    for (size_t i = 0; i < read->count; i++) {
        (void)buf_put_byte(told, '.');
        (void)buf_put_str(told, read->keys[i]);
    }
    (void)buf_printf(told, "@%zu", read->offset);
}

static void test_what_is_read(void **)
{
    static const struct {
        const char *source, *told;
    } rows[] = {
        {".a", ".a@1"},
        {".a.b", ".a@1 .a.b@3"},
        {".[\"a\"].b", ".a@2 .a.b@7"},
        {".a | .b", ".a@1 .a.b@6"},
        {".a?", ".a@1"},
        {".a.b?", ".a@1 .a.b@3"},
        {"{a}", ".a@1"},
        {"{x: .a, (.b): .c}", ".a@5 .b@10 .c@15"},
        {"[.a, .b]", ".a@2 .b@6"},
        {"\"x \\(.a) y\"", ".a@6"},
        {"if .a then .b else .c end", ".a@4 .b@12 .c@20"},
        {".a // .b", ".a@1 .b@7"},
        {".a as $x | $x.b + .c", ".a@1 .a.b@14 .c@19"},
        {".a[] | .b", ".a@1"},
        {".a[.b]", ".a@1 .b@4"},
        {"map(.a)", ""},
        {".a | map(.b)", ".a@1"},
        {".a as $x | map($x.b)", ".a@1 .a.b@18"},
        {".a | select(.b) | .c", ".a@1 .a.b@13 .a.c@19"},
        {"def select(f): {b: 1} | f; .a | select(.b)", ".a@28"},
        {".a = .b", ".b@6"},
        {".a |= .b", ""},
        {".a += .b", ".b@7"},
        {"def f: .a; .b | f", ".b@12"},
        {"def f($a): $a.b; f(.c)", ""},
        {"reduce .a[] as $x (.b; . + $x.c)", ".a@8 .b@20"},
        {"foreach .a[] as $x (.b; . + $x.c; .d)", ".a@9 .b@21"},
        {".a as {$b} | $b.c", ".a@1"},
        {".a as [$b] ?// $b | $b.c", ".a@1"},
        {".a as $x | .b as $x | $x.c", ".a@1 .b@12 .b.c@25"},
        {"try .a catch .b", ".a@5"},
        {"label $out | .a", ".a@14"},
        {"(.a | not) and (.b, .c)", ".a@2 .b@17 .c@21"},
        {"-.a", ".a@2"},
        {".a[.b:.c]", ".a@1 .b@4 .c@7"},
        {"error(.a)", ".a@7"},
        {"# .b\n.a", ".a@6"},
        {"12345678901234567890123456789012345678901234567890 | .a", ""},
        {".a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q | .r", NULL},
        {".a +", ""},
        {"\xff", ""},
        {"", ""},
    };
    size_t failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf told = buf_init(TOLD_MAX);
        expr_reads(str_from(rows[i].source), tell, &told);
        if (!rows[i].told) { /* deeper than is followed */
            assert_non_null(strstr(buf_str(&told).ptr, ".o.p@"));
            assert_null(strstr(buf_str(&told).ptr, ".q@"));
            continue;
        }
        if (str_is(buf_str(&told), rows[i].told)) continue;
        print_error("%s: " STR_FMT ", not %s\n", rows[i].source, STR_ARG(buf_str(&told)),
                    rows[i].told);
        failed++;
    }
    assert_int_equal(failed, 0);
}

/* As high as the parser lets a tree become, and higher. */
static void test_height(void **)
{
    CLEANUP(buf_done) struct buf told   = buf_init(TOLD_MAX);
    CLEANUP(buf_done) struct buf source = buf_init(64 << 10);
    for (size_t depth = 1; depth <= 4096; depth *= 2) {
        buf_clear(&source);
        for (size_t i = 0; i < depth; i++) (void)buf_put_byte(&source, '[');
        (void)buf_put_text(&source, ".a");
        for (size_t i = 0; i < depth; i++) (void)buf_put_byte(&source, ']');
        buf_clear(&told);
        expr_reads(buf_str(&source), tell, &told);
        assert_true(told.len == 0 || str_starts_with(buf_str(&told), str_from(".a@")));
        assert_true(told.len > 0 || depth > 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_height),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
