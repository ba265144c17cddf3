/* Lines of llm-proxies about what models say in jobs. */
#include "gateway/runs/job_tokens.h"

#include "base/attr.h"

#include "cmocka.h"

static void lines(void **)
{
    static const struct {
        const char *line;
        bool is_one, is_gap;
        const char *place, *data;
    } rows[] = {
        {"j1:3 {\"text\":\"a b\"}", true, false, "j1:3", "{\"text\":\"a b\"}"},
        {"!j1:3 {}", true, true, "j1:3", "{}"},
        {"", false, false, NULL, NULL},
        {"!", false, false, NULL, NULL},
        {"j1:3", false, false, NULL, NULL},
        {"j1:3 ", false, false, NULL, NULL},
        {" {}", false, false, NULL, NULL},
        {"j1:3 {}\nid: 7", false, false, NULL, NULL},
        {"j1:3 {}\rid: 7", false, false, NULL, NULL},
        {"j\r1:3 {}", false, false, NULL, NULL},
        {"0123456789012345678901234567890123456789012345678901234567890123456789 {}", false, false,
         NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct job_token token = {};
        assert_int_equal(job_tokens_read(str_from(rows[i].line), &token), rows[i].is_one);
        if (!rows[i].is_one) continue;
        assert_int_equal(token.is_gap, rows[i].is_gap);
        assert_true(str_is(token.place, rows[i].place));
        assert_true(str_is(token.data, rows[i].data));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
