/* What the command line prints: caught in a file in the place of standard output. */
#include "cmocka.h"

#include "cli/print.h"
#include "support/folder.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 4096 };

struct caught {
    FILE *file;
    int before;
    char text[TEXT_MAX];
};

static void catch_begin(struct caught *it)
{
    it->file = tmpfile();
    assert_non_null(it->file);
    (void)fflush(stdout);
    it->before = dup(STDOUT_FILENO);
    assert_true(dup2(fileno(it->file), STDOUT_FILENO) >= 0);
}

static void catch_end(struct caught *it)
{
    (void)fflush(stdout);
    assert_true(dup2(it->before, STDOUT_FILENO) >= 0);
    (void)close(it->before);
    rewind(it->file);
    size_t size    = fread(it->text, 1, sizeof it->text - 1, it->file);
    it->text[size] = '\0';
    (void)fclose(it->file);
}

static void columns_are_as_wide_as_they_need(void **)
{
    static const char *const titles[] = {"ID", "NAME"};
    CLEANUP(table_done) struct table table;
    struct caught it;
    table_init(&table, titles, 2);
    table_add(&table, (const str[]){str_from("1"), str_from("\xc3\xa4\xc3\xb6")});
    table_add(&table, (const str[]){str_from("12345"), str_from("x")});
    catch_begin(&it);
    table_print(&table);
    catch_end(&it);
    assert_string_equal(it.text, "ID     NAME\n1      \xc3\xa4\xc3\xb6\n12345  x\n");
}

/* By the byte, since compilers warn of them in texts: U+202E, b, U+2066, U+061C; a dash, and the
 * beginning of another one. */
static const char turned[] = {'a',    '\xe2', '\x80', '\xae', 'b',    '\xe2', '\x81', '\xa6',
                              '\xd8', '\x9c', '\xe2', '\x80', '\x94', '\xe2', '\x80'};

static void cells_are_harmless_and_cut_between_characters(void **)
{
    static const char *const titles[] = {"T"};
    CLEANUP(table_done) struct table table;
    table_init(&table, titles, 1);
    table_add(&table, (const str[]){str_from("a\x1b[31m\nb")});
    assert_string_equal(table.cells[0][0], "a [31m b");
    table_add(&table, (const str[]){str_from("a\xc2\x9b"
                                             "31mb\xc2\xa0")}); /* C1; no control */
    assert_string_equal(table.cells[1][0], "a  31mb\xc2\xa0");
    table_add(&table, &(const str){.ptr = turned, .len = sizeof turned});
    assert_string_equal(table.cells[2][0], "a   b     \xe2\x80\x94"); /* no bidi; a dash stays */
    char wide[TABLE_CELL_MAX + 8];
    memset(wide, 'x', sizeof wide);
    memcpy(wide + TABLE_CELL_MAX - 2, "\xc3\xa4", 2); /* its second byte does not fit */
    table_add(&table, (const str[]){{.ptr = wide, .len = sizeof wide}});
    assert_int_equal(strlen(table.cells[3][0]), TABLE_CELL_MAX - 2);
}

/* Approvals show what strangers say. */
static void texts_do_not_steer_the_terminal(void **)
{
    CLEANUP(json_unrefp)
    json text                         = json_text_from("a\xc2\x9b"
                                                                               "2J\x1b[m\x7f\xc3\xa4");
    CLEANUP(json_unrefp) json turning = json_text_lossy((str){.ptr = turned, .len = 5});
    struct caught it;
    catch_begin(&it);
    print_clean(stdout, "> ", json_str(text));
    print_argument(stdout, " ", str_from("it's\xc2\x9d"));
    print_json_line(text);
    print_json_line(turning);
    print_clean(stdout, "> ", json_str(turning));
    catch_end(&it);
    assert_string_equal(it.text,
                        "> a 2J [m \xc3\xa4 'it'\\''s '\"a\\u009b2J\\u001b[m\\u007f\xc3\xa4\"\n"
                        "\"a\\u202eb\"\n> a b");
}

static void a_table_has_a_last_row(void **)
{
    static const char *const titles[] = {"T"};
    CLEANUP(table_done) struct table table;
    table_init(&table, titles, 1);
    for (int i = 0; i < TABLE_ROWS_MAX + 1; i++) table_add(&table, (const str[]){str_from("x")});
    assert_int_equal(table.row_count, TABLE_ROWS_MAX);
}

struct row {
    const char *name;
    int64_t ms;
    const char *text;
};

static const struct row durations[] = {
    {"nothing", 0, "0 ms"},
    {"below a second", 999, "999 ms"},
    {"a second", 1'000, "1.0 s"},
    {"below a minute", 59'999, "59.9 s"},
    {"a minute", 60'000, "1 min 0 s"},
    {"below an hour", 3'599'999, "59 min 59 s"},
    {"an hour", 3'600'000, "1 h 0 min"},
    {"days", 180'000'000, "50 h 0 min"},
};

static void duration(void **state)
{
    const struct row *row             = *state;
    CLEANUP(buf_done) struct buf text = buf_init(64);
    print_duration(row->ms, &text);
    assert_true(str_is(buf_str(&text), row->text));
}

static void add_count(struct table *table, json one)
{
    char count[NUMBER_SIZE];
    const str cells[] = {member(one, "name", "?"), member_number(one, "count", count)};
    table_add(table, cells);
}

static void a_list_has_a_row_for_each_item(void **)
{
    static const char *const titles[]     = {"NAME", "COUNT"};
    static const char *const answers[][2] = {
        {"{\"items\":[{\"name\":\"a\",\"count\":-9223372036854775808},{\"count\":\"7\"}]}",
         "NAME  COUNT\na     -9223372036854775808\n?     0\n"},
        {"{\"items\":[]}", "NAME  COUNT\n"},
        {"{\"name\":\"alone\",\"count\":7}", "NAME   COUNT\nalone  7\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct caught it;
        CLEANUP(json_unrefp) json answer = json_invalid();
        assert_int_equal(read_json_argument(answers[i][0], &answer, NULL), STATUS_OK);
        catch_begin(&it);
        print_rows(answer, titles, ARRAY_LEN(titles), add_count);
        catch_end(&it);
        assert_string_equal(it.text, answers[i][1]);
    }
}

static void texts_from_elsewhere_do_not_steer_the_terminal(void **)
{
    struct caught it;
    catch_begin(&it);
    print_clean(stdout, ": ", str_from("a\x1b]0;x\x07\n\xc3\xa4\x7f"));
    catch_end(&it);
    assert_string_equal(it.text, ": a ]0;x  \xc3\xa4 ");
}

static void texts_from_elsewhere_are_one_argument_of_a_shell(void **)
{
    struct caught it;
    catch_begin(&it);
    print_argument(stdout, " --name ", str_from("it's; `x` $(y) \"z\"\n"));
    catch_end(&it);
    assert_string_equal(it.text, " --name 'it'\\''s; `x` $(y) \"z\" '");
}

static void json_is_printed_pretty_or_on_a_line(void **)
{
    struct caught it;
    CLEANUP(json_unrefp) json value = json_invalid();
    assert_int_equal(read_json_argument("{\"a\":[1]}", &value, NULL), STATUS_OK);
    catch_begin(&it);
    print_json_line(value);
    catch_end(&it);
    assert_string_equal(it.text, "{\"a\":[1]}\n");
    assert_true(str_is(member(value, "b", "no"), "no"));
    assert_true(str_is(member(value, "a", "no"), "no")); /* no text */
}

static void arguments_come_from_the_line_or_a_file(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    struct folder path                          = folder_join(&folder, "in.json");
    FILE *file                                  = fopen(path.path, "we");
    assert_non_null(file);
    assert_true(fputs(" [7] ", file) >= 0);
    assert_int_equal(fclose(file), 0);
    char argument[FOLDER_PATH_MAX + 1];
    (void)snprintf(argument, sizeof argument, "@%s", path.path);
    CLEANUP(json_unrefp) json value = json_invalid();
    assert_int_equal(read_json_argument(argument, &value, NULL), STATUS_OK);
    assert_int_equal(json_count(value), 1);

    struct error error = {};
    json nothing       = json_invalid();
    assert_int_equal(read_json_argument("@/nowhere/at/all", &nothing, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
    assert_int_equal(read_json_argument("{", &nothing, &error), STATUS_INVALID_ARGUMENT);

    CLEANUP(buf_done) struct buf small = buf_init(4);
    assert_int_equal(read_whole_file(path.path, &small, &error), STATUS_RESOURCE_EXHAUSTED);
}

static void a_label_is_a_key_and_a_value(void **)
{
    CLEANUP(json_unrefp) json labels = json_invalid();
    struct error error               = {};
    assert_int_equal(read_label_argument("team:a:b", &labels, NULL), STATUS_OK);
    assert_int_equal(json_count(labels), 1);
    assert_true(str_is(member(labels, "team", ""), "a:b"));

    CLEANUP(json_unrefp) json same = json_invalid();
    assert_int_equal(read_label_argument("team=a:b", &same, NULL), STATUS_OK);
    assert_true(str_is(member(same, "team", ""), "a:b"));

    json nothing = json_invalid();
    assert_int_equal(read_label_argument("team", &nothing, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.text, "--label: KEY=VALUE");
}

int main(void)
{
    struct CMUnitTest rows[ARRAY_LEN(durations)];
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        rows[i] = row_test(durations[i].name, duration, &durations[i]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_they_need),
        cmocka_unit_test(cells_are_harmless_and_cut_between_characters),
        cmocka_unit_test(texts_do_not_steer_the_terminal),
        cmocka_unit_test(a_table_has_a_last_row),
        cmocka_unit_test(a_list_has_a_row_for_each_item),
        cmocka_unit_test(texts_from_elsewhere_do_not_steer_the_terminal),
        cmocka_unit_test(texts_from_elsewhere_are_one_argument_of_a_shell),
        cmocka_unit_test(json_is_printed_pretty_or_on_a_line),
        cmocka_unit_test(arguments_come_from_the_line_or_a_file),
        cmocka_unit_test(a_label_is_a_key_and_a_value),
    };
    return cmocka_run_group_tests_name("durations", rows, NULL, NULL) +
           cmocka_run_group_tests_name("print", tests, NULL, NULL);
}
