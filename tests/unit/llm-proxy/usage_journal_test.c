/* Usage on its way to the scheduler: over the death of the process, torn records, full chapters. */
#include "llm-proxy/money/usage_journal.h"

#include "base/mem.h"
#include "cmocka.h"
#include "llm-proxy/money/usage_chapter.h"
#include "support/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_US INT64_C(86'400'000'000)

static const struct usage_owner alice = {.namespace_ = "default", .key = "alice"};

static struct usage_journal *open_in(const struct folder *folder)
{
    struct usage_journal *journal = NULL;
    struct error error            = {};
    status code = usage_journal_open(folder ? folder->path : NULL, &journal, &error);
    if (code != STATUS_OK) fail_msg("%s", error.text);
    return journal;
}

static void add_unwritten(struct usage_journal *journal, const char *model, int64_t nanos)
{
    Pb__Usage used      = PB__USAGE__INIT;
    used.calls          = 1;
    used.provider       = "p";
    used.model          = model;
    used.input_tokens   = 10;
    used.cost_usd_nanos = nanos;
    used.cost_source    = PB__COST_SOURCE__COST_SOURCE_REPORTED;
    usage_journal_add(journal, &alice, &used, 3 * DAY_US + 1);
}

static void add(struct usage_journal *journal, const char *model, int64_t nanos)
{
    add_unwritten(journal, model, nanos);
    usage_journal_write(journal);
}

/* Costs and calls of a report. */
struct sum {
    int64_t nanos, calls;
};

static struct sum sum_of(const Pb__UsageReport *report)
{
    struct sum sum = {};
    for (size_t i = 0; i < report->n_rows; i++) {
        if (*report->rows[i]->label) continue;
        sum.nanos += report->rows[i]->counters->cost_usd_nanos;
        sum.calls += report->rows[i]->counters->calls;
    }
    return sum;
}

static size_t count_files(const struct folder *folder, off_t *ret_size)
{
    size_t count       = 0;
    DIR *dir           = opendir(folder->path);
    struct dirent *one = NULL;
    *ret_size          = 0;
    assert_non_null(dir);
    while ((one = readdir(dir))) { // NOLINT(concurrency-mt-unsafe): one thread
        char source[USAGE_SOURCE_LEN + 1];
        uint64_t number = 0;
        struct stat about;
        if (!usage_chapter_name_read(one->d_name, source, &number)) continue;
        assert_int_equal(fstatat(dirfd(dir), one->d_name, &about, 0), 0);
        *ret_size += about.st_size;
        count++;
    }
    assert_int_equal(closedir(dir), 0);
    return count;
}

static void calls_are_added_up_by_their_names(void **)
{
    Pb__Label team               = PB__LABEL__INIT;
    Pb__Label *labels[]          = {&team};
    const struct usage_owner bob = {
        .namespace_ = "other", .key = "bob", .labels = labels, .label_count = 1};
    struct usage_journal *journal = open_in(NULL);
    Pb__Usage used                = PB__USAGE__INIT;
    team.key                      = "team";
    team.value                    = "blue";
    used.calls                    = 1;
    used.cost_source              = PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
    used.cost_usd_nanos           = 7; /* of what has a price: not all */
    assert_false(usage_journal_is_pending(journal));
    assert_null(usage_journal_next(journal));
    add(journal, "m", 5);
    add(journal, "m", 6);
    usage_journal_add(journal, &bob, &used, DAY_US);
    used.calls          = 0;
    used.cost_usd_nanos = 0;
    usage_journal_add(journal, &bob, &used, DAY_US); /* nothing */
    assert_true(usage_journal_is_pending(journal));
    assert_false(usage_journal_is_left(journal));
    const Pb__UsageReport *report = usage_journal_next(journal);
    assert_int_equal(report->number, 1);
    assert_int_equal(strlen(report->source), USAGE_SOURCE_LEN);
    assert_int_equal(report->n_rows, 3);
    assert_int_equal(report->rows[0]->day, 3);
    assert_string_equal(report->rows[0]->namespace_, "default");
    assert_string_equal(report->rows[0]->key, "alice");
    assert_string_equal(report->rows[0]->provider, "p");
    assert_string_equal(report->rows[0]->model, "m");
    assert_int_equal(report->rows[0]->counters->calls, 2);
    assert_int_equal(report->rows[0]->counters->input_tokens, 20);
    assert_int_equal(report->rows[0]->counters->cost_usd_nanos, 11);
    assert_int_equal(report->rows[1]->day, 1);
    assert_int_equal(report->rows[1]->counters->unpriced_calls, 1);
    assert_int_equal(report->rows[1]->counters->cost_usd_nanos, 0);
    assert_string_equal(report->rows[2]->label, "team=blue");
    assert_string_equal(report->rows[2]->key, "");
    usage_journal_freep(&journal);
}

/* Each by itself, also over the death of the process, and one that has used nothing as well. */
static void calls_of_a_run_stay_apart(void **)
{
    CLEANUP(folder_remove) const struct folder folder = folder_new();
    struct usage_journal *journal                     = open_in(&folder);
    struct usage_owner owner = {.namespace_ = "default", .key = "alice", .workflow = "w"};
    Pb__Usage used           = PB__USAGE__INIT;
    used.calls               = 1;
    used.cost_source         = PB__COST_SOURCE__COST_SOURCE_ESTIMATED;
    used.cost_usd_nanos      = 5;
    owner.run                = "run1";
    owner.call               = "call1";
    usage_journal_add(journal, &owner, &used, DAY_US);
    owner.call = "call2";
    usage_journal_add(journal, &owner, &used, DAY_US);
    pb__usage__init(&used);
    owner.call = "call3";
    usage_journal_add(journal, &owner, &used, DAY_US);
    usage_journal_write(journal);
    usage_journal_freep(&journal);

    journal                       = open_in(&folder);
    const Pb__UsageReport *report = usage_journal_next(journal);
    assert_int_equal(report->n_rows, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(report->rows[i]->run, "run1");
        assert_string_equal(report->rows[i]->workflow, "w");
        assert_int_equal(report->rows[i]->call[4], '1' + (char)i);
        assert_int_equal(report->rows[i]->counters->cost_usd_nanos, i < 2 ? 5 : 0);
    }
    assert_int_equal(report->rows[0]->cost_source, PB__COST_SOURCE__COST_SOURCE_ESTIMATED);
    usage_journal_freep(&journal);
}

static const char *payers[] = {"team-blue", "run/01ARZ3NDEKTSV4RRFFQ69G5FAV"};

/* A call that has cost something and drawn once. */
static void add_charged(struct usage_journal *journal, int64_t nanos)
{
    Pb__CallEnd whole         = PB__CALL_END__INIT;
    Pb__CallEnd drawn         = PB__CALL_END__INIT;
    const Pb__CallEnd *ends[] = {&whole, &drawn};
    struct usage_owner owner  = alice;
    Pb__Usage used            = PB__USAGE__INIT;
    whole.call                = "call1";
    whole.used_nanos          = nanos;
    whole.namespace_          = "default";
    whole.budgets             = payers;
    whole.n_budgets           = ARRAY_LEN(payers);
    drawn.call                = "call2";
    used.calls                = 1;
    used.cost_usd_nanos       = nanos;
    used.cost_source          = PB__COST_SOURCE__COST_SOURCE_REPORTED;
    owner.ends                = ends;
    owner.end_count           = ARRAY_LEN(ends);
    usage_journal_add(journal, &owner, &used, DAY_US);
}

static int64_t charged_by(const Pb__UsageReport *report)
{
    int64_t nanos = 0;
    for (size_t i = 0; i < report->n_ends; i++) nanos += report->ends[i]->used_nanos;
    return nanos;
}

/* What budgets are charged stands beside what is counted: in each report, over the death of the
 * process, and wherever the file is torn. */
static void ends_go_with_their_usage(void **)
{
    CLEANUP(folder_remove) const struct folder folder = folder_new();
    struct usage_journal *journal                     = open_in(&folder);
    for (int i = 0; i < 3; i++) {
        add_charged(journal, 5);
        usage_journal_write(journal);
    }
    const Pb__UsageReport *report = usage_journal_next(journal);
    assert_int_equal(report->n_rows, 1);
    assert_int_equal(report->n_ends, 6);
    usage_journal_freep(&journal);

    journal = open_in(&folder);
    report  = usage_journal_next(journal);
    assert_int_equal(sum_of(report).nanos, 15);
    assert_int_equal(charged_by(report), 15);
    assert_int_equal(report->n_ends, 6);
    assert_string_equal(report->ends[4]->call, "call1");
    assert_string_equal(report->ends[4]->namespace_, "default");
    assert_int_equal(report->ends[4]->n_budgets, 2);
    assert_string_equal(report->ends[4]->budgets[1], payers[1]);
    assert_string_equal(report->ends[5]->call, "call2");
    usage_journal_freep(&journal);
}

/* Something that was set aside comes back: there is nothing to count. */
static void an_end_alone_is_a_report(void **)
{
    CLEANUP(folder_remove) const struct folder folder = folder_new();
    struct usage_journal *journal                     = open_in(&folder);
    Pb__CallEnd back                                  = PB__CALL_END__INIT;
    const Pb__CallEnd *end                            = &back;
    const Pb__Usage nothing                           = PB__USAGE__INIT;
    struct usage_owner owner = {.namespace_ = "", .key = "", .ends = &end, .end_count = 1};
    back.call                = "call1";
    usage_journal_add(journal, &owner, &nothing, DAY_US);
    usage_journal_write(journal);
    usage_journal_freep(&journal);
    journal                       = open_in(&folder);
    const Pb__UsageReport *report = usage_journal_next(journal);
    assert_non_null(report);
    assert_int_equal(report->n_rows, 0);
    assert_int_equal(report->n_ends, 1);
    assert_string_equal(report->ends[0]->call, "call1");
    usage_journal_counted(journal);
    usage_journal_freep(&journal);
}

static void many_ends_make_several_reports(void **)
{
    enum { CALLS = USAGE_CHAPTER_ENDS_MAX / 2 + 1 };
    CLEANUP(folder_remove) const struct folder folder = folder_new();
    struct usage_journal *journal                     = open_in(&folder);
    for (int i = 0; i < CALLS; i++) {
        add_charged(journal, 1);
        usage_journal_write(journal);
    }
    for (int again = 0; again < 2; again++) {
        const Pb__UsageReport *report = usage_journal_next(journal);
        assert_int_equal(report->n_ends, USAGE_CHAPTER_ENDS_MAX);
        assert_int_equal(charged_by(report), CALLS - 1);
        assert_int_equal(sum_of(report).nanos, CALLS - 1);
        if (again) break;
        usage_journal_freep(&journal); /* its file was written anew */
        journal = open_in(&folder);
    }
    usage_journal_counted(journal);
    assert_int_equal(charged_by(usage_journal_next(journal)), 1);
    usage_journal_counted(journal);
    assert_false(usage_journal_is_pending(journal));
    usage_journal_freep(&journal);
}

/* What was handed out does not grow, whatever comes until it is counted. */
static void a_report_stays_as_it_was_said(void **)
{
    struct usage_journal *journal = open_in(NULL);
    add(journal, "m", 5);
    assert_int_equal(sum_of(usage_journal_next(journal)).nanos, 5);
    add(journal, "m", 6);
    assert_true(usage_journal_is_left(journal));
    const Pb__UsageReport *again = usage_journal_next(journal);
    assert_int_equal(again->number, 1);
    assert_int_equal(sum_of(again).nanos, 5);
    usage_journal_counted(journal);
    assert_false(usage_journal_is_left(journal));
    assert_int_equal(usage_journal_next(journal)->number, 2);
    assert_int_equal(sum_of(usage_journal_next(journal)).nanos, 6);
    usage_journal_counted(journal);
    assert_false(usage_journal_is_pending(journal));
    usage_journal_freep(&journal);
}

/* As after kill -9, whenever it was: said or not, counted or not. */
static void the_next_process_says_what_is_left(void **)
{
    CLEANUP(folder_remove) const struct folder folder = folder_new();
    char source[USAGE_SOURCE_LEN + 1];
    off_t size                    = 0;
    struct usage_journal *journal = open_in(&folder);
    add(journal, "m", 5);
    (void)snprintf(source, sizeof source, "%s", usage_journal_next(journal)->source);
    usage_journal_counted(journal);
    add(journal, "m", 6);
    add(journal, "n", 7);
    assert_non_null(usage_journal_next(journal)); /* said, not counted */
    add(journal, "m", 8);
    usage_journal_freep(&journal);

    journal = open_in(&folder);
    add(journal, "m", 9);
    const struct sum expected[] = {{13, 2}, {8, 1}, {9, 1}};
    bool has_own                = false;
    for (uint64_t i = 0; i < ARRAY_LEN(expected); i++) {
        const Pb__UsageReport *report = usage_journal_next(journal);
        has_own                       = strcmp(report->source, source) != 0;
        assert_int_equal(has_own, i == 2);
        assert_int_equal(report->number, has_own ? 1 : 2 + i);
        assert_int_equal(sum_of(report).nanos, expected[i].nanos);
        assert_int_equal(sum_of(report).calls, expected[i].calls);
        usage_journal_counted(journal);
    }
    assert_false(usage_journal_is_pending(journal));
    assert_int_equal(count_files(&folder, &size), 0);
    usage_journal_freep(&journal);
}

/* One frame has the calls of one turn, and no call twice; what was not written dies. */
static void calls_of_a_turn_are_one_frame(void **)
{
    CLEANUP(folder_remove) const struct folder folder = folder_new();
    struct usage_journal *journal                     = open_in(&folder);
    off_t one                                         = 0;
    off_t two                                         = 0;
    add(journal, "m", 5);
    assert_int_equal(count_files(&folder, &one), 1);
    for (int i = 0; i < 10; i++) add_unwritten(journal, "m", 1);
    usage_journal_write(journal);
    usage_journal_write(journal);
    assert_int_equal(count_files(&folder, &two), 1);
    assert_int_equal(two, 2 * one);
    add_unwritten(journal, "m", 100);
    add_unwritten(journal, "n", 200);
    usage_journal_write(journal);
    add_unwritten(journal, "m", 1'000);
    usage_journal_freep(&journal);

    journal                       = open_in(&folder);
    const Pb__UsageReport *report = usage_journal_next(journal);
    assert_int_equal(report->n_rows, 2);
    assert_int_equal(sum_of(report).nanos, 5 + 10 + 100 + 200);
    assert_int_equal(sum_of(report).calls, 1 + 10 + 2);
    usage_journal_freep(&journal);
}

/* As the files have it, whatever was written, said, counted or left by another. */
static void its_size_is_that_of_its_files(void **)
{
    CLEANUP(folder_remove) const struct folder folder = folder_new();
    struct usage_journal *memory                      = open_in(NULL);
    struct usage_journal *journal                     = open_in(&folder);
    off_t size                                        = 0;
    add(memory, "m", 5);
    assert_int_equal(usage_journal_size(memory), 0);
    assert_int_equal(usage_journal_size(journal), 0);
    add(journal, "m", 5);
    assert_non_null(usage_journal_next(journal));
    for (int i = 0; i < 2'000; i++) add(journal, "n", 6);
    assert_int_equal(count_files(&folder, &size), 2);
    assert_true(size > 64 << 10);
    assert_int_equal(usage_journal_size(journal), size);
    usage_journal_counted(journal);
    assert_int_equal(usage_journal_size(journal), size - size / 2'001);
    usage_journal_freep(&journal);

    journal = open_in(&folder);
    assert_int_equal(count_files(&folder, &size), 1);
    assert_int_equal(usage_journal_size(journal), size);
    add(journal, "m", 7);
    assert_non_null(usage_journal_next(journal));
    usage_journal_counted(journal);
    assert_int_equal(count_files(&folder, &size), 1);
    assert_int_equal(usage_journal_size(journal), size);
    add(journal, "m", 7);
    assert_non_null(usage_journal_next(journal)); /* it ends, and is small as it is */
    usage_journal_counted(journal);
    assert_int_equal(usage_journal_size(journal), 0);
    assert_int_equal(count_files(&folder, &size), 0);
    usage_journal_freep(&journal);
    usage_journal_freep(&memory);
}

static unsigned count_in(int fd, const char *wanted)
{
    char text[16'384];
    unsigned count = 0;
    ssize_t len    = pread(fd, text, sizeof text - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
    for (const char *at = text; (at = strstr(at, wanted)); at++) count++;
    return count;
}

/* Not for each call, and not again because a turn had nothing to write. */
static void a_disk_that_fails_is_said_once(void **)
{
    CLEANUP(folder_remove) const struct folder folder = folder_new();
    const struct folder away                          = folder_sub(&folder, "away");
    const struct folder usage                         = folder_sub(&folder, "usage");
    const struct folder log                           = folder_join(&folder, "log");
    struct usage_journal *journal                     = open_in(&usage);
    int said  = open(log.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int stays = dup(STDOUT_FILENO);
    assert_true(said >= 0 && stays >= 0);
    (void)fflush(stdout);
    assert_int_equal(dup2(said, STDOUT_FILENO), STDOUT_FILENO);
    bool is_away = rename(usage.path, away.path) == 0;
    for (int i = 0; i < 3; i++) {
        add(journal, "m", 1);
        usage_journal_write(journal);
    }
    bool is_back = rename(away.path, usage.path) == 0;
    add(journal, "m", 1);
    (void)dup2(stays, STDOUT_FILENO);
    assert_true(is_away && is_back);
    assert_int_equal(count_in(said, "would be lost"), 1);
    (void)close(said);
    (void)close(stays);
    usage_journal_freep(&journal);
}

static void a_folder_has_one_owner(void **)
{
    CLEANUP(folder_remove) const struct folder folder = folder_new();
    struct usage_journal *journal                     = open_in(&folder);
    struct usage_journal *other                       = NULL;
    assert_int_equal(usage_journal_open(folder.path, &other, NULL), STATUS_FAILED_PRECONDITION);
    usage_journal_freep(&journal);
    assert_int_equal(usage_journal_open("/proc/nothing", &other, NULL), STATUS_UNAVAILABLE);
}

static void a_long_chapter_is_written_anew(void **)
{
    enum { CALLS = 2'000 };
    CLEANUP(folder_remove) const struct folder folder = folder_new();
    struct usage_journal *journal                     = open_in(&folder);
    off_t before                                      = 0;
    off_t after                                       = 0;
    for (int i = 0; i < CALLS; i++) add(journal, "m", i);
    assert_int_equal(count_files(&folder, &before), 1);
    assert_non_null(usage_journal_next(journal));
    assert_int_equal(count_files(&folder, &after), 1);
    assert_true(before > 64 << 10 && after < 1'000);
    usage_journal_freep(&journal);
    journal = open_in(&folder);
    assert_int_equal(sum_of(usage_journal_next(journal)).nanos, (int64_t)CALLS * (CALLS - 1) / 2);
    assert_int_equal(sum_of(usage_journal_next(journal)).calls, CALLS);
    usage_journal_freep(&journal);
}

static void many_names_make_several_reports(void **)
{
    enum { NAMES = USAGE_CHAPTER_ROWS_MAX + 10 };
    struct usage_journal *journal = open_in(NULL);
    char name[USAGE_NAME_MAX + 2];
    for (int i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof name, "m%d", i);
        add(journal, name, 1);
    }
    assert_true(usage_journal_is_left(journal));
    assert_int_equal(usage_journal_next(journal)->n_rows, USAGE_CHAPTER_ROWS_MAX);
    usage_journal_counted(journal);
    assert_int_equal(usage_journal_next(journal)->n_rows, NAMES - USAGE_CHAPTER_ROWS_MAX);
    usage_journal_counted(journal);
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    add(journal, name, 1);
    assert_string_equal(usage_journal_next(journal)->rows[0]->model, "(long name)");
    usage_journal_freep(&journal);
}

/* The file of a chapter, cut at every byte: whole records count, and nothing else. */
static void a_torn_record_ends_its_file(void **)
{
    CLEANUP(folder_remove) const struct folder folder = folder_new();
    char file[4'096];
    char path[PATH_MAX];
    struct usage_journal *journal = open_in(&folder);
    for (int64_t nanos = 5; nanos <= 6; nanos++) {
        add_charged(journal, nanos);
        usage_journal_write(journal);
    }
    const Pb__UsageReport *report = usage_journal_next(journal);
    (void)snprintf(path, sizeof path, "%s/%s-%020" PRIu64 ".usage", folder.path, report->source,
                   report->number);
    int fd       = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, file, sizeof file);
    assert_in_range(size, 20, sizeof file - 1);
    assert_int_equal(close(fd), 0);
    for (size_t cut = 0; cut <= (size_t)size; cut++) {
        struct usage_chapter *chapter = usage_chapter_new(NULL, report->source, 1);
        size_t whole                  = usage_chapter_parse(chapter, (bytes){file, cut});
        int64_t nanos = chapter->count > 0 ? chapter->rows[0]->counters->cost_usd_nanos : 0;
        assert_true(whole <= cut);
        assert_int_equal(nanos, cut == (size_t)size ? 11 : cut >= (size_t)size / 2 ? 5 : 0);
        const Pb__UsageReport found = {.ends = chapter->ends, .n_ends = chapter->end_count};
        assert_int_equal(charged_by(&found), nanos);
        usage_chapter_free(chapter);
    }
    for (size_t at = 0; at < (size_t)size; at++) {
        struct usage_chapter *chapter = usage_chapter_new(NULL, report->source, 1);
        file[at] ^= 1;
        assert_true(usage_chapter_parse(chapter, (bytes){file, (size_t)size}) < (size_t)size);
        file[at] ^= 1;
        usage_chapter_free(chapter);
    }
    usage_journal_freep(&journal);
}

static void names_of_files(void **)
{
    static const struct {
        const char *name;
        bool is_fine;
    } cases[] = {
        {"0123456789abcdef0123456789abcdef-00000000000000000007.usage", true},
        {"0123456789abcdef0123456789abcdef-00000000000000000000.usage", false},
        {"0123456789abcdef0123456789abcdef-7.usage", false},
        {"0123456789abcdef0123456789abcdef-00000000000000000007.usage.new", false},
        {"0123456789abcdef0123456789abcdeg-00000000000000000007.usage", false},
        {"0123456789abcdef0123456789abcde", false},
        {"owner", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char source[USAGE_SOURCE_LEN + 1];
        uint64_t number = 0;
        bool is_fine    = usage_chapter_name_read(cases[i].name, source, &number);
        if (is_fine != cases[i].is_fine) fail_msg("%s", cases[i].name);
        if (is_fine) assert_int_equal(number, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_added_up_by_their_names),
        cmocka_unit_test(calls_of_a_run_stay_apart),
        cmocka_unit_test(ends_go_with_their_usage),
        cmocka_unit_test(an_end_alone_is_a_report),
        cmocka_unit_test(many_ends_make_several_reports),
        cmocka_unit_test(a_report_stays_as_it_was_said),
        cmocka_unit_test(the_next_process_says_what_is_left),
        cmocka_unit_test(calls_of_a_turn_are_one_frame),
        cmocka_unit_test(its_size_is_that_of_its_files),
        cmocka_unit_test(a_disk_that_fails_is_said_once),
        cmocka_unit_test(a_folder_has_one_owner),
        cmocka_unit_test(a_long_chapter_is_written_anew),
        cmocka_unit_test(many_names_make_several_reports),
        cmocka_unit_test(a_torn_record_ends_its_file),
        cmocka_unit_test(names_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
