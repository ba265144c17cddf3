/* Forms and what they say, whatever the pieces they come in. */
#include "http/multipart.h"

#include "cmocka.h"

#include "base/buf.h"

#include <string.h>

struct row {
    const char *name, *type, *body;
    const char *parts; /* "name(file name)[type]data;" of each; or of those before what is wrong */
    const char *wrong; /* the beginning of the error; NULL: none */
};

#define FORM    "multipart/form-data; boundary=xy"
#define FIELD   "Content-Disposition: form-data; name=\"a\"\r\n"
#define PART(x) "--xy\r\n" FIELD "\r\n" x "\r\n"
#define END     "--xy--\r\n"

static const struct row rows[] = {
    {"one field", FORM, PART("1") END, "a(-)[]1;", NULL},
    {"two", FORM, PART("1") PART("2") END, "a(-)[]1;a(-)[]2;", NULL},
    {"a file", FORM,
     "--xy\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n"
     "Content-Type: text/plain; charset=utf-8\r\nX-Other: 1\r\n\r\nhello\r\n" END,
     "f(a.txt)[text/plain; charset=utf-8]hello;", NULL},
    {"no data", FORM, PART("") END, "a(-)[];", NULL},
    {"no part", FORM, END, "", NULL},
    {"line ends in data", FORM, PART("\r\n\r\r\n\n\r") END, "a(-)[]\r\n\r\r\n\n\r;", NULL},
    {"almost boundaries", FORM, PART("\r\n-\r\n--\r\n--x\r\n--x\r\n--X\n--xy --xy--") END,
     "a(-)[]\r\n-\r\n--\r\n--x\r\n--x\r\n--X\n--xy --xy--;", NULL},
    {"preamble, epilogue", FORM, "hello\r\n-- xy\r\n" PART("1") "--xy--and more\r\n" PART("2"),
     "a(-)[]1;", NULL},
    {"empty line before", FORM, "\r\n" PART("1") END, "a(-)[]1;", NULL},
    {"end without line end", FORM, PART("1") "--xy--", "a(-)[]1;", NULL},
    {"padding", FORM, "--xy \t\r\n" FIELD "\r\n1\r\n" END, "a(-)[]1;", NULL},
    {"quoted boundary", "Multipart/Form-Data ; a=b; Boundary=\"x y\"",
     "--x y\r\n" FIELD "\r\n1\r\n--x y--", "a(-)[]1;", NULL},
    {"escapes of browsers", FORM,
     "--xy\r\nContent-Disposition: form-data; name=\"a%22\"; "
     "filename=\"%0d%0A%22%41%2\"\r\n\r\n\r\n" END,
     "a\"(\r\n\"%41%2)[];", NULL},
    {"escapes of others", FORM,
     "--xy\r\ncontent-disposition:form-data;name=a;filename=\"x\\\";y.txt\" ;\r\n\r\n1\r\n" END,
     "a(x\\\";y.txt)[]1;", NULL},
    {"an empty file name", FORM,
     "--xy\r\nContent-Disposition: form-data; name=a; filename=\"\"; "
     "filename*=UTF-8''b\r\n\r\n\r\n" END,
     "a()[];", NULL},

    {"no form", "text/plain; boundary=xy", "", "", "Content-Type: not multipart/form-data"},
    {"no boundary", "multipart/form-data", "", "", "Content-Type: multipart/form-data needs a"},
    {"an empty boundary", "multipart/form-data; boundary=\"\"", "", "", "Content-Type: "},
    {"a blank at its end", "multipart/form-data; boundary=\"x \"", "", "", "Content-Type: "},
    {"a strange one", "multipart/form-data; boundary=x\xc3\xa4", "", "", "Content-Type: "},
    {"an open one", "multipart/form-data; boundary=\"x", "", "", "Content-Type: "},
    {"nothing", FORM, "", "", "the boundary that Content-Type names is not in the body"},
    {"another boundary", FORM, "--xz\r\n" FIELD "\r\n1\r\n--xz--", "", "the boundary that"},
    {"no end", FORM, PART("1"), "a(-)[]1", "part 1 of the form: the body breaks off"},
    {"half an end", FORM, PART("1") "--xy-", "a(-)[]1;", "part 1 of the form: the body breaks off"},
    {"end in a head", FORM, PART("1") "--xy\r\nConte", "a(-)[]1;", "part 2 of the form: the body"},
    {"end in data", FORM, "--xy\r\n" FIELD "\r\n1\r\n--x", "a(-)[]1",
     "part 1 of the form: the body"},
    {"a longer boundary", FORM, PART("1") "--xyz\r\n", "a(-)[]1;", "boundary 2 of the form: some"},
    {"half a dash", FORM, "--xy-\r\n", "", "boundary 1 of the form: something follows"},
    {"bare LF", FORM, "--xy\n" FIELD "\r\n", "", "boundary 1 of the form: something follows"},
    {"bare CR", FORM, "--xy\rC" FIELD "\r\n", "", "boundary 1 of the form: something follows"},
    {"bare LF in a head", FORM, "--xy\r\nA: b\n", "", "part 1 of the form: a line of its head"},
    {"bare CR in a head", FORM, "--xy\r\nA: b\rc", "", "part 1 of the form: a line of its head"},
    {"a control character", FORM, "--xy\r\nA: \1", "", "part 1 of the form: a control character"},
    {"no head", FORM, "--xy\r\n\r\n1", "", "part 1 of the form: it has no Content-Disposition"},
    {"no field", FORM, "--xy\r\nhello\r\n\r\n", "", "part 1 of the form: a line of its head is no"},
    {"a folded line", FORM, "--xy\r\n" FIELD " b: c\r\n\r\n", "", "part 1 of the form: a line of"},
    {"two dispositions", FORM, "--xy\r\n" FIELD FIELD "\r\n", "", "part 1 of the form: it has two"},
    {"two types", FORM, "--xy\r\n" FIELD "Content-Type: a\r\nContent-type: a\r\n\r\n", "",
     "part 1 of the form: it has two"},
    {"two names", FORM, "--xy\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\n", "",
     "part 1 of the form: Content-Disposition: a parameter stands there twice"},
    {"no name", FORM, "--xy\r\nContent-Disposition: form-data; filename=b\r\n\r\n", "",
     "part 1 of the form: Content-Disposition: it needs a name"},
    {"an open name", FORM, "--xy\r\nContent-Disposition: form-data; name=\"b\r\n\r\n", "",
     "part 1 of the form: Content-Disposition: its parameters"},
    {"no parameter", FORM, "--xy\r\nContent-Disposition: form-data; name\r\n\r\n", "",
     "part 1 of the form: Content-Disposition: its parameters"},
    {"an attachment", FORM, "--xy\r\nContent-Disposition: attachment; name=a\r\n\r\n", "",
     "part 1 of the form: Content-Disposition: not form-data"},
    {"base64", FORM, "--xy\r\n" FIELD "Content-Transfer-Encoding: base64\r\n\r\n", "",
     "part 1 of the form: Content-Transfer-Encoding: send"},
};

/* --- what a form says ------------------------------------------------------------------------- */

struct seen {
    struct buf parts;
    struct error error;
    bool is_open; /* a part is */
    bool is_bad;
};

static void end_part(struct seen *seen)
{
    if (seen->is_open) assert_true(buf_put_byte(&seen->parts, ';'));
    seen->is_open = false;
}

static void begin_part(struct seen *seen, const struct multipart_part *part)
{
    str file_name = part->file_name.ptr ? part->file_name : str_from("-");
    end_part(seen);
    seen->is_open = true;
    assert_true(buf_printf(&seen->parts, STR_FMT "(" STR_FMT ")[" STR_FMT "]", STR_ARG(part->name),
                           STR_ARG(file_name), STR_ARG(part->type)));
}

static void feed(struct multipart *form, str piece, struct seen *seen)
{
    enum multipart_step step = MULTIPART_PART;
    while (step == MULTIPART_PART || step == MULTIPART_DATA) {
        str data = {};
        step     = multipart_next(form, &piece, &data, &seen->error);
        if (step == MULTIPART_PART) begin_part(seen, &form->part);
        if (step == MULTIPART_DATA) assert_true(buf_put_str(&seen->parts, data));
    }
    /* A part is known to be over when its boundary is: what follows that may be wrong. */
    bool is_in_part = form->state == MULTIPART_IN_DATA;
    if (!is_in_part) end_part(seen);
    seen->is_bad = step == MULTIPART_BAD;
}

/* In pieces: up to `first`, then of `rest` bytes each. */
static void check_cut(const struct row *row, size_t first, size_t rest)
{
    CLEANUP(multipart_done) struct multipart form;
    struct seen seen = {.parts = buf_init(4096)};
    str body         = str_from(row->body);
    status code      = multipart_init(&form, str_from(row->type), &seen.error);
    size_t size      = first;
    for (size_t at = 0; code == STATUS_OK && !seen.is_bad && at < body.len;) {
        feed(&form, str_slice(body, at, at + size), &seen);
        at += size;
        size = rest;
    }
    if (code == STATUS_OK && !seen.is_bad) code = multipart_finish(&form, &seen.error);
    bool is_wrong = code != STATUS_OK || seen.is_bad;
    assert_int_equal(is_wrong, row->wrong != NULL);
    assert_string_equal(buf_str(&seen.parts).ptr, row->parts);
    if (row->wrong && strncmp(seen.error.text, row->wrong, strlen(row->wrong)) != 0) {
        fail_msg("%s", seen.error.text);
    }
    buf_done(&seen.parts);
}

static void every_cut_gives_the_same(void **state)
{
    const struct row *row = *state;
    size_t len            = strlen(row->body);
    check_cut(row, len + 1, 1);
    check_cut(row, 1, 1);
    for (size_t at = 1; at < len; at++) check_cut(row, at, len);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void check_limit(const char *type, const struct buf *body, const char *wrong)
{
    CLEANUP(multipart_done) struct multipart form;
    struct seen seen = {.parts = buf_init(1 << 20)};
    assert_false(body->is_full);
    assert_int_equal(multipart_init(&form, str_from(type), &seen.error), STATUS_OK);
    feed(&form, buf_str(body), &seen);
    assert_int_equal(seen.is_bad, wrong != NULL);
    assert_string_equal(seen.error.text, wrong ? wrong : "");
    buf_done(&seen.parts);
}

static void limits_hold(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf body = buf_init(1 << 20);
    for (int i = 0; i < MULTIPART_PARTS_MAX; i++) assert_true(buf_put_text(&body, PART("1")));
    check_limit(FORM, &body, NULL);
    assert_true(buf_put_text(&body, PART("1")));
    check_limit(FORM, &body, "part 33 of the form: there are over 32 parts");

    static const char head[] = "--xy\r\n" FIELD "X: ";
    for (size_t over = 0; over < 2; over++) {
        buf_clear(&body);
        assert_true(buf_put_text(&body, head));
        while (body.len + strlen("\r\n\r\n") < strlen("--xy\r\n") + MULTIPART_HEAD_MAX + over) {
            assert_true(buf_put_byte(&body, 'x'));
        }
        assert_true(buf_put_text(&body, "\r\n\r\n1\r\n" END));
        check_limit(FORM, &body, over ? "part 1 of the form: its head has over 4096 bytes" : NULL);
    }
}

static void boundaries_have_seventy_characters(void **state)
{
    (void)state;
    char type[sizeof "multipart/form-data; boundary=" + MULTIPART_BOUNDARY_MAX + 1] =
        "multipart/form-data; boundary=";
    size_t len = strlen(type);
    memset(type + len, 'b', MULTIPART_BOUNDARY_MAX);
    CLEANUP(buf_done) struct buf body = buf_init(4096);
    assert_true(buf_printf(&body, "--%s\r\n" FIELD "\r\n1\r\n--%s--", type + len, type + len));
    check_limit(type, &body, NULL);
    type[len + MULTIPART_BOUNDARY_MAX] = 'b';
    CLEANUP(multipart_done) struct multipart form;
    assert_int_equal(multipart_init(&form, str_from(type), NULL), STATUS_INVALID_ARGUMENT);
}

static void forms_are_told_from_others(void **state)
{
    (void)state;
    assert_true(multipart_is_form(str_from("multipart/form-data")));
    assert_true(multipart_is_form(str_from("Multipart/FORM-data ;boundary=x")));
    assert_false(multipart_is_form(str_from("multipart/form-data-x; boundary=x")));
    assert_false(multipart_is_form(str_from("application/pdf")));
    assert_false(multipart_is_form((str){}));
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 3];
    size_t count = 0;
    for (; count < ARRAY_LEN(rows); count++) {
        tests[count] = row_test(rows[count].name, every_cut_gives_the_same, &rows[count]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(limits_hold);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(boundaries_have_seventy_characters);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(forms_are_told_from_others);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
