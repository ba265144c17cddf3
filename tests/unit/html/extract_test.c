#include "html/extract.h"

#include "cmocka.h"

#include "json/json_text.h"

static const char page[] =
    "<html><head><base href='/shop/'><title>Shop</title></head><body><h1>Our <b>things</b></h1>"
    "<div class=item data-id=1><h2>One</h2><a href='one?x=1'>more</a><i>a</i><i>b</i></div>"
    "<div class=item data-id=2><h2>Two</h2><a href='//cdn.test/two'>more</a><a>none</a></div>"
    "<img src='../pic 1.png'></body></html>";

static json from_text(const char *text)
{
    json value               = json_null();
    struct json_limits limit = {.values_max = 10'000};
    assert_int_equal(json_parse(str_from(text), &limit, &value, NULL, NULL), STATUS_OK);
    return value;
}

static void pages_become_values(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *data;
    } rows[] = {
        {"{}", "{}"},
        {"{\"h\": \"h1, h2\"}", "{\"h\": [\"Our things\", \"One\", \"Two\"]}"},
        {"{\"h\": {\"all\": \"h2\"}}", "{\"h\": [\"One\", \"Two\"]}"},
        {"{\"h\": {\"first\": \"h2\"}}", "{\"h\": \"One\"}"},
        {"{\"h\": {\"first\": \"h9\"}, \"l\": \"h9\"}", "{\"h\": null, \"l\": []}"},
        {"{\"t\": {\"first\": \"title::text\"}}", "{\"t\": \"Shop\"}"},
        {"{\"t\": {\"first\": \"h1::html\"}}", "{\"t\": \"<h1>Our <b>things</b></h1>\"}"},
        {"{\"u\": \"a@href\"}",
         "{\"u\": [\"https://a.test/shop/one?x=1\", \"https://cdn.test/two\"]}"},
        {"{\"u\": {\"first\": \"img@SRC\"}}", "{\"u\": \"https://a.test/pic%201.png\"}"},
        {"{\"u\": {\"first\": \"h1@href\"}}", "{\"u\": null}"},
        {"{\"u\": {\"first\": \"[data-id='2']@data-id\"}}", "{\"u\": \"2\"}"},
        {"{\"items\": {\"all\": \".item\", \"fields\": {\"id\": \"@data-id\", \"name\": "
         "{\"first\": "
         "\"h2\"}, \"marks\": \"i\", \"text\": \"::text\"}}}",
         "{\"items\": [{\"id\": \"1\", \"name\": \"One\", \"marks\": [\"a\", \"b\"], \"text\": "
         "\"One moreab\"}, {\"id\": \"2\", \"name\": \"Two\", \"marks\": [], \"text\": \"Two "
         "morenone\"}]}"},
        {"{\"one\": {\"first\": \".item\", \"fields\": {\"link\": {\"first\": \"a\", \"fields\": "
         "{\"to\": \"@href\"}}}}}",
         "{\"one\": {\"link\": {\"to\": \"https://a.test/shop/one?x=1\"}}}"},
    };
    CLEANUP(html_freep) struct html_document *document = NULL;
    assert_int_equal(html_parse(str_from(page), &document, NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json fields                        = from_text(rows[i].fields);
        CLEANUP(json_unrefp) json expected                      = from_text(rows[i].data);
        CLEANUP(json_unrefp) json data                          = json_null();
        size_t size_found                                       = 0;
        CLEANUP(extraction_freep) struct extraction *extraction = NULL;
        struct error error                                      = {};
        if (extraction_read(fields, &extraction, &error) != STATUS_OK) fail_msg("%s", error.text);
        assert_int_equal(extraction_run(extraction, document, str_from("https://a.test/x/y"), &data,
                                        &size_found, &error),
                         STATUS_OK);
        if (!json_equal(data, expected)) fail_msg("row %zu: %s", i, rows[i].fields);
    }
}

static void faults_name_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *error;
    } rows[] = {
        {"[]", "fields are a map"},
        {"{\"a\": 1}", "selectors, a: a selector is a text or a map"},
        {"{\"a\": \"\"}", "selectors, a: a selector is missing"},
        {"{\"a\": \"@href\"}", "selectors, a: a selector is missing"},
        {"{\"a\": \"p > \"}", "selectors, a: selector, column 4"},
        {"{\"a\": \"p::attr\"}", "selectors, a: behind ::"},
        {"{\"a\": \"p@\"}", "selectors, a: the name of an attribute"},
        {"{\"a\": {}}", "selectors, a: it holds"},
        {"{\"a\": {\"all\": \"p\", \"first\": \"p\"}}", "selectors, a: it holds"},
        {"{\"a\": {\"all\": \"p\", \"each\": 1}}", "selectors, a: it holds"},
        {"{\"a\": {\"all\": \"p\", \"fields\": {\"b\": \"p[\"}}}",
         "selectors, a.b: selector, column"},
        {"{\"a\": {\"all\": \"p@x\", \"fields\": {}}}", "selectors, a: a record has"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json fields                        = from_text(rows[i].fields);
        CLEANUP(extraction_freep) struct extraction *extraction = NULL;
        struct error error                                      = {};
        assert_int_equal(extraction_read(fields, &extraction, &error), STATUS_INVALID_ARGUMENT);
        if (!strstr(error.text, rows[i].error)) fail_msg("%s: %s", rows[i].fields, error.text);
    }
}

static status read_levels(size_t levels)
{
    CLEANUP(buf_done) struct buf text = buf_init(10'000);
    for (size_t i = 1; i < levels; i++) {
        (void)buf_put_text(&text, "{\"a\": {\"all\": \"p\", \"fields\": ");
    }
    (void)buf_put_text(&text, "{\"a\": \"p\"}");
    for (size_t i = 1; i < levels; i++) (void)buf_put_text(&text, "}}");
    CLEANUP(json_unrefp) json fields                        = from_text(buf_str(&text).ptr);
    CLEANUP(extraction_freep) struct extraction *extraction = NULL;
    return extraction_read(fields, &extraction, NULL);
}

static status read_many(size_t count)
{
    CLEANUP(buf_done) struct buf text = buf_init(100'000);
    for (size_t i = 0; i < count; i++) {
        (void)buf_printf(&text, "%c\"f%zu\": \"p\"", i == 0 ? '{' : ',', i);
    }
    (void)buf_put_byte(&text, '}');
    CLEANUP(json_unrefp) json fields                        = from_text(buf_str(&text).ptr);
    CLEANUP(extraction_freep) struct extraction *extraction = NULL;
    return extraction_read(fields, &extraction, NULL);
}

static void limits_hold(void **state)
{
    (void)state;
    assert_int_equal(read_levels(EXTRACT_DEPTH_MAX), STATUS_OK);
    assert_int_equal(read_levels(EXTRACT_DEPTH_MAX + 1), STATUS_INVALID_ARGUMENT);
    assert_int_equal(read_many(EXTRACT_FIELDS_MAX), STATUS_OK);
    assert_int_equal(read_many(EXTRACT_FIELDS_MAX + 1), STATUS_INVALID_ARGUMENT);
}

static void assert_refused(str html, const char *given, const char *words)
{
    CLEANUP(html_freep) struct html_document *document      = NULL;
    CLEANUP(json_unrefp) json fields                        = from_text(given);
    CLEANUP(json_unrefp) json data                          = json_null();
    size_t size_found                                       = 0;
    CLEANUP(extraction_freep) struct extraction *extraction = NULL;
    struct error error                                      = {};
    assert_int_equal(html_parse(html, &document, NULL), STATUS_OK);
    assert_int_equal(extraction_read(fields, &extraction, NULL), STATUS_OK);
    assert_int_equal(extraction_run(extraction, document, (str){}, &data, &size_found, &error),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error.text, words));
}

/* Every level of <div> holds the whole text again; or nothing, which takes as long to see. */
static void what_multiplies_is_refused(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text  = buf_init(1 << 20);
    CLEANUP(buf_done) struct buf empty = buf_init(1 << 20);
    for (int i = 0; i < 1'000; i++) (void)buf_put_text(&text, "<div>");
    (void)buf_put_str(&empty, buf_str(&text));
    for (int i = 0; i < 1'000; i++) (void)buf_put_text(&text, "0123456789");
    for (int i = 0; i < EXTRACT_VISITS_MAX / 1'000; i++) (void)buf_put_text(&empty, "<i></i>");
    assert_refused(buf_str(&text), "{\"a\": \"div\"}", "bytes");
    assert_refused(buf_str(&empty), "{\"a\": \"div\"}", "nodes");
}

/* What is not there is a value, too: null, for each of many records. */
static void what_is_missing_counts(void **state)
{
    (void)state;
    enum { FIELDS = 200 };
    CLEANUP(buf_done) struct buf html   = buf_init(1 << 20);
    CLEANUP(buf_done) struct buf fields = buf_init(1 << 20);
    for (int i = 0; i <= EXTRACT_VALUES_MAX / FIELDS; i++) (void)buf_put_text(&html, "<p>");
    (void)buf_put_text(&fields, "{\"records\":{\"all\":\"p\",\"fields\":{\"f\":\"b\"");
    for (int i = 1; i < FIELDS; i++) {
        (void)buf_printf(&fields, ",\"f%d\":{\"first\":\"b\"}", i);
    }
    (void)buf_put_text(&fields, "}}}");
    (void)buf_put_byte(&fields, '\0');
    assert_refused(buf_str(&html), fields.ptr, "values");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_become_values),
        cmocka_unit_test(faults_name_the_field),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(what_multiplies_is_refused),
        cmocka_unit_test(what_is_missing_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
