#include "html/selector.h"

#include "cmocka.h"

#include <stdlib.h>

static const char page[] =
    "<!doctype html><html lang=en-GB><head><title>t</title></head><body>"
    "<div id=a class='x y'><p id=b class=x>1</p><p id=c>2</p><span id=d></span><p id=e> </p></div>"
    "<div id=f data-k='Hello World' title=abc><ul id=g><li id=h>1<li id=i class=on>2<li id=j>3"
    "<li id=k>4<li id=l>5</ul><input id=m type=TEXT disabled></div>"
    "<section id=n><div id=o><p id=p><b id=q>deep</b></p></div><!-- c --><em id=r><!-- --></em>"
    "</section></body></html>";

/* The ids of what matches, in order. */
static void match(const char *text, struct buf *ret_ids)
{
    CLEANUP(html_freep) struct html_document *document = NULL;
    CLEANUP(selector_freep) struct selector *selector  = NULL;
    struct html_matches matches;
    struct error error = {};
    assert_int_equal(html_parse(str_from(page), &document, NULL), STATUS_OK);
    if (selector_parse(str_from(text), &selector, &error) != STATUS_OK) fail_msg("%s", error.text);
    selector_match(selector, document, &matches);
    buf_clear(ret_ids);
    for (size_t i = 0; i < matches.count; i++) {
        str id = html_name(document, matches.nodes[i]);
        (void)html_attribute(document, matches.nodes[i], str_from("id"), &id);
        (void)buf_printf(ret_ids, "%s" STR_FMT, i > 0 ? " " : "", STR_ARG(id));
    }
    html_matches_done(&matches);
}

static void selectors_find_what_they_name(void **state)
{
    (void)state;
    static const struct {
        const char *selector, *ids;
    } rows[] = {
        {"p", "b c e p"},
        {"P", "b c e p"},
        {"nothing", ""},
        {"#a", "a"},
        {".x", "a b"},
        {".x.y", "a"},
        {"div.x", "a"},
        {"p.x#b", "b"},
        {"p , li.on", "b c e i p"},
        {"title, body > *", "title a f n"},
        {"div p", "b c e p"},
        {"section div p b", "q"},
        {"div > p", "b c e p"},
        {"body > div > p", "b c e"},
        {"p + p", "c"},
        {"p ~ p", "c e"},
        {"p~span", "d"},
        {"#b+#c~#e", "e"},
        {"li:nth-child(2)", "i"},
        {"li:nth-child(odd)", "h j l"},
        {"li:nth-child( 2n )", "i k"},
        {"li:nth-child(-n+2)", "h i"},
        {"li:nth-child(3n - 1)", "i l"},
        {"li:nth-last-child(1)", "l"},
        {"p:nth-of-type(2)", "c"},
        {"p:last-of-type", "e p"},
        {"span:only-of-type", "d"},
        {"b:only-child", "q"},
        {"p:first-child", "b p"},
        {"li:last-child", "l"},
        {"html:root", "html"},
        {":root > body > #n", "n"},
        {"body :empty", "d m r"},
        {"[data-k]", "f"},
        {"[data-k='Hello World']", "f"},
        {"[data-k~=World]", "f"},
        {"[data-k~=world]", ""},
        {"[data-k~=world i]", "f"},
        {"[data-k^=Hel]", "f"},
        {"[data-k$=\"rld\" s]", "f"},
        {"[data-k*='lo Wo']", "f"},
        {"[data-k*='LO WO' i]", "f"},
        {"[data-k*='']", ""},
        {"[lang|=en]", "html"},
        {"[lang|=EN]", "html"},
        {"[type=text]", "m"},
        {"[type=text s]", ""},
        {"[ title = abc ]", "f"},
        {"input[disabled]", "m"},
        {"p:not(.x)", "c e p"},
        {"li:not(:first-child, .on)", "j k l"},
        {"div:not(div > *):not(section > *)", "a f"},
        {"div:has(p)", "a o"},
        {"div:has(> ul > li.on)", "f"},
        {"p:has(+ p)", "b"},
        {"p:has(~ span)", "b c"},
        {"section:has(div b)", "n"},
        {"li:has(+ li + .on)", ""},
        {"li:has(+ .on, + li:last-child)", "h k"},
        {":is(div, section) > :where(p, ul)", "b c e g p"},
        {":is(section div) p", "p"},
        {"div:not(:has(p))", "f"},
        {"div:has(:not(p):empty)", "a f"},
        {"#\\61", "a"},
        {"#\\61 , #\\66 ", "a f"},
        {"*:nth-child(1):nth-last-child(1)", "html title p q"},
    };
    CLEANUP(buf_done) struct buf ids = buf_init(1000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        match(rows[i].selector, &ids);
        if (!str_is(buf_str(&ids), rows[i].ids)) {
            fail_msg("%s: found \"%s\"", rows[i].selector, buf_str(&ids).ptr);
        }
    }
}

static void faults_are_named_with_their_column(void **state)
{
    (void)state;
    static const struct {
        const char *selector, *error;
    } rows[] = {
        {"", "column 1: a selector is missing"},
        {"  ", "column 3: a selector is missing"},
        {"p,", "column 3: a selector is missing"},
        {",p", "column 1: a selector is missing"},
        {"p >", "column 4: something is missing"},
        {"> p", "column 1: a selector cannot begin"},
        {"p > > b", "column 5: two combinators"},
        {"p)", "column 2: this bracket"},
        {"p:not(", "column 7: ) is missing"},
        {"p:not(a", "column 8: ) is missing"},
        {"p:not()", "column 7: a selector is missing"},
        {"p:hover", "column 2: :hover is not supported"},
        {"p::before", "column 3: pseudo-elements"},
        {":first-child(1)", "column 13: this pseudo-class takes nothing"},
        {":nth-child", "column 11: ( is missing"},
        {":nth-child(x)", "column 12: a position is missing"},
        {":nth-child(2n+)", "column 15: a number is missing"},
        {":nth-child(2n+1", "column 16: ) is missing"},
        {":nth-child(2 of p)", "is not supported"},
        {"[a", "column 3: ] or an operator"},
        {"[a=", "column 4: a name is missing"},
        {"[a='x", "column 4: this text has no end"},
        {"[a=5]", "column 4: a value such as this"},
        {"[a^b]", "column 4: = is missing"},
        {"[a=b c]", "column 6: ] is missing"},
        {"[a|b=c]", "namespaces"},
        {"svg|a", "namespaces"},
        {".5", "column 2: a name cannot begin"},
        {"#", "column 2: a name is missing"},
        {"p%", "column 2: this character"},
        {".a p.b.c b*", "column 11: a type stands before"},
        {"\xff", "column 1: no UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(selector_freep) struct selector *selector = NULL;
        struct error error                                = {};
        status code = selector_parse(str_from(rows[i].selector), &selector, &error);
        assert_int_equal(code, STATUS_INVALID_ARGUMENT);
        if (!strstr(error.text, rows[i].error)) fail_msg("%s: %s", rows[i].selector, error.text);
    }
}

static status parse_repeated(const char *head, const char *middle, size_t times, const char *tail)
{
    CLEANUP(buf_done) struct buf text                 = buf_init(1 << 20);
    CLEANUP(selector_freep) struct selector *selector = NULL;
    (void)buf_put_text(&text, head);
    for (size_t i = 0; i < times; i++) (void)buf_put_text(&text, middle);
    (void)buf_put_text(&text, tail);
    return selector_parse(buf_str(&text), &selector, NULL);
}

static void limits_hold(void **state)
{
    (void)state;
    static const struct {
        const char *head, *middle;
        size_t times; /* that are just allowed */
    } rows[] = {
        {"a", " a", SELECTOR_PARTS_MAX - 1},
        {"a", ",a", SELECTOR_PARTS_MAX - 1},
        {"a", ".b", SELECTOR_TESTS_MAX},
        {"#", "a", SELECTOR_SIZE_MAX - 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(parse_repeated(rows[i].head, rows[i].middle, rows[i].times, ""),
                         STATUS_OK);
        assert_int_equal(parse_repeated(rows[i].head, rows[i].middle, rows[i].times + 1, ""),
                         STATUS_INVALID_ARGUMENT);
    }
    assert_int_equal(parse_repeated("", ":not(", SELECTOR_DEPTH_MAX, "a))))))))"), STATUS_OK);
    assert_int_equal(parse_repeated("", ":not(", SELECTOR_DEPTH_MAX + 1, "a)))))))))"),
                     STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selectors_find_what_they_name),
        cmocka_unit_test(faults_are_named_with_their_column),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
