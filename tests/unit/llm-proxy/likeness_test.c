/* Which events teach what others look like, and which are like them. JSON stands in single quotes
 * here. */
#include "base/attr.h"
#include "llm-proxy/stream/likeness.h"

#include "cmocka.h"

enum { TEXT_MAX = 8 << 10 };

static void quote(const char *text, struct buf *out)
{
    for (; *text; text++) (void)buf_put_byte(out, *text == '\'' ? '"' : *text);
}

static const char *const keys[] = {"content", "thought", NULL};

static bool learns(struct likeness *likeness, const char *data, const char *text)
{
    CLEANUP(buf_done) struct buf quoted = buf_init(TEXT_MAX);
    quote(data, &quoted);
    return likeness_learn(likeness, buf_str(&quoted), keys, str_from(text));
}

static void what_can_be_learnt(void **)
{
    static const struct {
        const char *data, *text;
        bool is_learnt;
    } rows[] = {
        {"{'content':'a'}", "a", true},
        {"{'x':1,'content':'a','y':[]}", "a", true},
        {"{'content':''}", "", false},
        {"{'content':'b'}", "a", false},                 /* that is not its text */
        {"{'content':'ab'}", "a", false},                /* but for a part */
        {"{'content':'a'},{'content':'a'}", "a", false}, /* which of the two? */
        {"{'content':'a','thought':'a'}", "a", false},   /* likewise */
        {"{'content' : 'a'},{'content':'a'}", "a", false},
        {"{'thought':'a'}", "a", true},
        {"{'content' : 'a'}", "a", false},
        {"{'content':'a','x':'\\n'}", "a", false}, /* escapes might spell a key */
        {"{'x\\'content':'a'}", "a", false},       /* the key is another one */
        {"{'other':'a'}", "a", false},
        {"{'content':'a\\n'}", "a\n", false},
        {"{'content':'\xff'}", "\xff", false},
        {"", "a", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct likeness likeness;
        likeness_init(&likeness);
        bool is_learnt = learns(&likeness, rows[i].data, rows[i].text);
        if (is_learnt != rows[i].is_learnt) print_error("row %zu\n", i);
        assert_true(is_learnt == rows[i].is_learnt);
        likeness_done(&likeness);
    }
}

static void what_is_alike(void **)
{
    static const struct {
        const char *data, *text; /* NULL: it is not */
    } rows[] = {
        {"{'x':1,'content':'b','y':2}", "b"},
        {"{'x':1,'content':'h\xc3\xa9, you','y':2}", "h\xc3\xa9, you"},
        {"{'x':1,'content':'','y':2}", NULL},
        {"{'x':1,'content':'b','y':3}", NULL},
        {"{'x':2,'content':'b','y':2}", NULL},
        {"{'x':1,'content':'b','z':0,'y':2}", NULL},
        {"{'x':1,'content':'a\\n','y':2}", NULL},
        {"{'x':1,'content':'a\nb','y':2}", NULL},
        {"{'x':1,'content':'\xc3','y':2}", NULL},
        {"{'x':1,'content':'','y':2},{'x':1,'content':'','y':2}", NULL},
        {"{'x':1,'content':", NULL},
        {"", NULL},
    };
    struct likeness likeness;
    str text = {};
    likeness_init(&likeness);
    assert_false(likeness_find(&likeness, str_from("{}"), &text)); /* nothing is known yet */
    assert_true(learns(&likeness, "{'x':1,'content':'a','y':2}", "a"));
    assert_false(learns(&likeness, "{'z':'a'}", "a")); /* which leaves what was */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf data = buf_init(TEXT_MAX);
        quote(rows[i].data, &data);
        bool is_alike = likeness_find(&likeness, buf_str(&data), &text);
        if (is_alike != (rows[i].text != NULL)) print_error("row %zu\n", i);
        assert_true(is_alike == (rows[i].text != NULL));
        if (is_alike) assert_true(str_is(text, rows[i].text));
    }
    likeness_done(&likeness);
}

static void large_events_are_read(void **)
{
    CLEANUP(buf_done) struct buf data = buf_init(TEXT_MAX);
    struct likeness likeness;
    likeness_init(&likeness);
    (void)buf_put_text(&data, "{\"x\":\"");
    while (data.len < LIKENESS_SIZE_MAX) (void)buf_put_byte(&data, 'x');
    (void)buf_put_text(&data, "\",\"content\":\"a\"}");
    assert_false(likeness_learn(&likeness, buf_str(&data), keys, str_from("a")));
    likeness_done(&likeness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_learnt),
        cmocka_unit_test(what_is_alike),
        cmocka_unit_test(large_events_are_read),
    };
    return cmocka_run_group_tests_name("likeness", tests, NULL, NULL);
}
