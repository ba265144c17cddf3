#include "html/html_internal.h"

#include "cmocka.h"

#include <stdlib.h>

static struct html_document *parse(const char *text)
{
    struct html_document *document = NULL;
    assert_int_equal(html_parse(str_from(text), &document, NULL), STATUS_OK);
    return document;
}

static uint32_t find(const struct html_document *document, const char *name)
{
    uint32_t number = html_name_number(document, str_from(name));
    for (uint32_t i = 1; i < html_node_count(document); i++) {
        const struct html_node *node = &html_nodes(document)[i];
        if (node->kind == HTML_ELEMENT && node->name == number) return i;
    }
    return 0;
}

/* What holds for every tree: ends nest, siblings and parents come before, positions count. */
static void check_tree(const struct html_document *document)
{
    const struct html_node *nodes = html_nodes(document);
    uint32_t count                = html_node_count(document);
    assert_int_equal(nodes[0].end, count);
    for (uint32_t i = 1; i < count; i++) {
        const struct html_node *node = &nodes[i];
        assert_true(node->parent < i);
        assert_true(node->end > i);
        assert_true(node->end <= nodes[node->parent].end);
        assert_true(node->previous < i);
        if (node->kind != HTML_ELEMENT) continue;
        assert_int_equal(node->position, node->previous ? nodes[node->previous].position + 1 : 1);
        if (node->previous) assert_int_equal(nodes[node->previous].parent, node->parent);
    }
}

static void a_tree_is_what_browsers_make(void **state)
{
    (void)state;
    CLEANUP(html_freep)
    struct html_document *document =
        parse("<p class=a ID=x>one<p>two<my-thing>3</my-thing><template><b>no</b></template>");
    check_tree(document);
    uint32_t p                    = find(document, "P");
    const struct html_node *nodes = html_nodes(document);
    assert_true(str_is(html_name(document, p), "p"));
    assert_true(str_is(html_name(document, nodes[p].parent), "body"));
    assert_int_equal(nodes[nodes[p].parent].elements, 2);
    str value;
    assert_true(html_attribute(document, p, str_from("id"), &value));
    assert_true(str_is(value, "x"));
    assert_false(html_attribute(document, p, str_from("href"), &value));
    assert_true(str_is(html_name(document, find(document, "my-thing")), "my-thing"));
    assert_int_equal(html_name_number(document, str_from("other-thing")), HTML_NO_NAME);
    assert_int_equal(find(document, "b"), 0);
}

static void text_is_what_a_reader_sees(void **state)
{
    (void)state;
    static const struct {
        const char *html, *text;
    } rows[] = {
        {"", ""},
        {"a", "a"},
        {"  a \n b\t", "a b"},
        {"<p>one</p><p>two</p>", "one two"},
        {"<b>one</b>two", "onetwo"},
        {"one<br>two", "one two"},
        {"<ul><li>1<li>2</ul>3", "1 2 3"},
        {"a<script>b()</script>c<style>d</style>", "a c"},
        {"<table><tr><td>1<td>2</table>", "1 2"},
        {"a&nbsp;&amp;&lt;b", "a\xc2\xa0&<b"},
        {"<!-- no -->a<!-- no -->b", "ab"},
        {"<i>a </i> <i> b</i>", "a b"},
        {"<p>\xff</p>", "\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(html_freep) struct html_document *document = parse(rows[i].html);
        CLEANUP(buf_done) struct buf text                  = buf_init(1000);
        check_tree(document);
        assert_true(html_put_text(document, 0, &text));
        assert_string_equal(buf_str(&text).ptr, rows[i].text);
    }
    CLEANUP(html_freep) struct html_document *document = parse("abcdef");
    CLEANUP(buf_done) struct buf small                 = buf_init(3);
    assert_false(html_put_text(document, 0, &small));
}

static void source_is_the_standards(void **state)
{
    (void)state;
    static const struct {
        const char *html, *name, *source;
    } rows[] = {
        {"<p>a<br>b", "p", "<p>a<br>b</p>"},
        {"<p a='\"&<'>&lt;&gt;\"</p>", "p", "<p a=\"&quot;&amp;<\">&lt;&gt;\"</p>"},
        {"<div><script>a<b&&c</script></div>", "div", "<div><script>a<b&&c</script></div>"},
        {"<div>&nbsp;<!--x--><i><b></b></i></div>x", "div",
         "<div>&nbsp;<!--x--><i><b></b></i></div>"},
        {"<ul><li>1<li>2</ul>", "ul", "<ul><li>1</li><li>2</li></ul>"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(html_freep) struct html_document *document = parse(rows[i].html);
        CLEANUP(buf_done) struct buf source                = buf_init(1000);
        assert_true(html_put_source(document, find(document, rows[i].name), &source));
        assert_string_equal(buf_str(&source).ptr, rows[i].source);
    }
}

static char *repeat(const char *text, size_t times)
{
    size_t len = strlen(text);
    char *all  = calloc(times + 1, len);
    assert_non_null(all);
    for (size_t i = 0; i < times; i++) memcpy(all + i * len, text, len);
    return all;
}

static void what_is_too_much_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t times;
        const char *why; /* NULL: it is read */
    } rows[] = {
        {"<div>", HTML_DEPTH_MAX - 10, NULL},
        {"<div>", HTML_DEPTH_MAX + 10, "within each other"},
        {"<div>", 20'000, "within each other"}, /* no stack of the parser's is that deep */
        {"a<br>", HTML_NODES_MAX / 2 + 10, "nodes"},
        {"0123456789abcdef", HTML_SIZE_MAX / 16 + 1, "bytes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *page                                         = repeat(rows[i].text, rows[i].times);
        CLEANUP(html_freep) struct html_document *document = NULL;
        struct error error                                 = {};
        status code = html_parse(str_from(page), &document, &error);
        free(page);
        assert_int_equal(code, rows[i].why ? STATUS_RESOURCE_EXHAUSTED : STATUS_OK);
        if (rows[i].why) assert_non_null(strstr(error.text, rows[i].why));
    }
}

/* Every <p> brings all open formatting elements again: 30 kB that would become millions of nodes.
 */
static void a_page_that_multiplies_itself_is_refused(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf page = buf_init(1 << 20);
    (void)buf_put_text(&page, "<p>");
    for (int i = 0; i < 1'500; i++) (void)buf_printf(&page, "<b id=%d>", i);
    for (int i = 0; i < 3'000; i++) (void)buf_put_text(&page, "<p>x");
    CLEANUP(html_freep) struct html_document *document = NULL;
    struct error error                                 = {};
    assert_int_equal(html_parse(buf_str(&page), &document, &error), STATUS_RESOURCE_EXHAUSTED);
}

/* The clock is looked at while memory is asked for; here no time is left. */
static void time_is_bounded(void **state)
{
    (void)state;
    struct memory *memory = calloc(1, sizeof *memory);
    memory_begin(memory, 1 << 20, 0);
    if (setjmp(memory->out) == 0) {
        for (;;) memory_give_back(memory, memory_take(memory, 10));
    }
    assert_string_equal(memory->exceeded, "time");
    memory_end(memory);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_what_browsers_make),
        cmocka_unit_test(text_is_what_a_reader_sees),
        cmocka_unit_test(source_is_the_standards),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(time_is_bounded),
        cmocka_unit_test(a_page_that_multiplies_itself_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
