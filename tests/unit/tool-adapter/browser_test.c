/*
 * The life of a browser, played by small programs that speak its protocol: one that is not there,
 * does not start, dies, talks nonsense, says nothing, and one that does what it should.
 */
#include "base/attr.h"
#include "base/mem.h"
#include "tool-adapter/browser/browser_internal.h"

#include "cmocka.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TURN_MS = 1'000, TURNS_MAX = 6'000, PATIENT_MS = 50'000, SHORT_MS = 50, TEXT_MAX = 300 };

/* Reads commands and answers them; `special` goes first. */
#define PROGRAM(special)                                                                           \
    "#!/bin/bash\n"                                                                                \
    "say() { printf '%s\\0' \"$1\" >&4; }\n"                                                       \
    "while IFS= read -r -d '' -u 3 m; do\n"                                                        \
    "  id=${m#*\\\"id\\\":}; id=${id%%,*}; id=${id%%\\}*}\n"                                       \
    "  case $m in\n" special                                                                       \
    "  *createBrowserContext*) result='{\"browserContextId\":\"C\"}' ;;\n"                         \
    "  *createTarget*) result='{\"targetId\":\"T\"}' ;;\n"                                         \
    "  *attachToTarget*) result='{\"sessionId\":\"S\"}' ;;\n"                                      \
    "  *createIsolatedWorld*) result='{\"executionContextId\":1}' ;;\n"                            \
    "  *Runtime.evaluate*) result='{\"result\":{\"value\":[\"https://a.test/b\",\"<p>Hi\"]}}' "    \
    ";;\n"                                                                                         \
    "  *) result='{}' ;;\n"                                                                        \
    "  esac\n"                                                                                     \
    "  say \"{\\\"id\\\":$id,\\\"result\\\":$result}\"\n"                                          \
    "  case $m in *Page.navigate*) say "                                                           \
    "'{\"method\":\"Page.loadEventFired\",\"sessionId\":\"S\"}' ;; esac\n"                         \
    "done\n"

struct stage {
    char folder[TEXT_MAX], program[TEXT_MAX];
    struct loop *loop;
    struct work_pool *pool;
    struct http_client *http;
    struct hosts *hosts;
    struct browser *browser;
    unsigned ended;
    char fault[TEXT_MAX], content[TEXT_MAX], url[TEXT_MAX], error[TEXT_MAX];
    status code;
};

static void write_program(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

/* `limits`: of the browser's options, what is not zero. */
static void stage_open_with(struct stage *stage, const char *program, unsigned pages,
                            const struct browser_options *limits)
{
    *stage = (struct stage){};
    (void)snprintf(stage->folder, sizeof stage->folder, "/tmp/browser-test-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    (void)snprintf(stage->program, sizeof stage->program, "%.200s/program", stage->folder);
    if (program) write_program(stage->program, program);
    assert_int_equal(loop_new(NULL, &stage->loop, NULL), STATUS_OK);
    assert_int_equal(work_pool_new(stage->loop, 1, &stage->pool, NULL), STATUS_OK);
    const struct http_client_options http = {.loop = stage->loop};
    assert_int_equal(http_client_new(&http, &stage->http, NULL), STATUS_OK);
    stage->hosts                         = hosts_new(stage->loop, stage->http, NULL);
    const struct browser_options options = {
        .loop        = stage->loop,
        .pool        = stage->pool,
        .http        = stage->http,
        .hosts       = stage->hosts,
        .path        = stage->program,
        .folder      = stage->folder,
        .pages       = pages,
        .memory_max  = limits->memory_max > 0 ? limits->memory_max : 1 << 30,
        .close_ms    = limits->close_ms > 0 ? limits->close_ms : PATIENT_MS,
        .quiet_ms    = 1,
        .has_sandbox = limits->has_sandbox,
        .is_root     = limits->is_root,
        .look_ms     = limits->look_ms,
        .pages_max   = limits->pages_max,
        .said_max    = limits->said_max,
        .idle_ms     = limits->idle_ms};
    stage->browser = browser_new(&options);
}

static void stage_open(struct stage *stage, const char *program, unsigned pages)
{
    stage_open_with(stage, program, pages, &(struct browser_options){});
}

/* How many browsers there were, as those say that COUNTED makes. */
#define COUNTED "  *getVersion*) echo >> \"$0.starts\"; result='{}' ;;\n"

static unsigned starts_of(const struct stage *stage)
{
    char path[TEXT_MAX + 8];
    struct stat info = {};
    (void)snprintf(path, sizeof path, "%s.starts", stage->program);
    return stat(path, &info) == 0 ? (unsigned)info.st_size : 0;
}

/* Also looks that nothing of a browser is left. */
static void stage_close(struct stage *stage)
{
    browser_freep(&stage->browser);
    work_pool_freep(&stage->pool);
    hosts_freep(&stage->hosts);
    http_client_freep(&stage->http);
    loop_freep(&stage->loop);
    char starts[TEXT_MAX + 8];
    (void)snprintf(starts, sizeof starts, "%s.starts", stage->program);
    (void)unlink(starts);
    (void)unlink(stage->program);
    assert_int_equal(rmdir(stage->folder), 0);
}

static void keep(char *ret_text, str text)
{
    (void)snprintf(ret_text, TEXT_MAX, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

static void ended(const struct page_result *result, void *context)
{
    struct stage *stage = context;
    stage->ended++;
    stage->code = result->code;
    keep(stage->fault, str_from(result->fault ? result->fault : ""));
    keep(stage->error, str_from(result->error.text));
    keep(stage->content, result->content);
    keep(stage->url, result->url);
}

static struct page *ask(struct stage *stage, int64_t total_ms)
{
    struct page *page                 = NULL;
    const struct page_request request = {.product    = PAGE_HTML,
                                         .url        = str_from("https://a.test/"),
                                         .user_agent = str_from("robot"),
                                         .total_ms   = total_ms};
    assert_int_equal(page_start(stage->browser, &request, ended, stage, &page, NULL), STATUS_OK);
    return page;
}

static void until_ended(struct stage *stage, unsigned count)
{
    for (int i = 0; i < TURNS_MAX && stage->ended < count; i++) loop_turn(stage->loop, TURN_MS);
    assert_int_equal(stage->ended, count);
}

static void what_is_not_there_is_named(void **)
{
    struct stage stage;
    struct page *page                 = NULL;
    struct error error                = {};
    const struct page_request request = {.url = str_from("https://a.test/"), .total_ms = SHORT_MS};
    stage_open(&stage, NULL, 1);
    assert_int_equal(page_start(stage.browser, &request, ended, &stage, &page, &error),
                     STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(error.text, "tools.browser.path"));
    assert_non_null(strstr(error.text, "package `chromium`"));
    stage_close(&stage);
}

static void what_cannot_be_asked_is_refused(void **)
{
    static const struct page_request requests[] = {
        {.url = {"file:///etc/passwd", 18}},
        {.url = {"https://a:b@c.test/", 19}},
        {.url = {"https://a.test/", 15}, .width = PAGE_SIDE_MAX, .height = PAGE_SIDE_MAX},
        {.url = {"https://a.test/", 15}, .width = PAGE_SIDE_MAX + 1},
    };
    struct stage stage;
    stage_open(&stage, PROGRAM(""), 2);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct page *page = NULL;
        assert_int_equal(page_start(stage.browser, &requests[i], ended, &stage, &page, NULL),
                         STATUS_INVALID_ARGUMENT);
    }
    stage_close(&stage);
}

/* A program, and what a page of it says. */
static void check_closed(const char *program, int64_t total_ms, int64_t close_ms, const char *fault,
                         status code, const char *text)
{
    struct stage stage;
    stage_open_with(&stage, program, 1, &(struct browser_options){.close_ms = close_ms});
    for (unsigned i = 1; i <= 2; i++) { /* the second has a browser of its own */
        (void)ask(&stage, total_ms);
        until_ended(&stage, i);
        assert_string_equal(stage.fault, fault);
        assert_int_equal(stage.code, code);
        if (!strstr(stage.error, text)) assert_string_equal(stage.error, text);
    }
    stage_close(&stage);
}

static void check_fault(const char *program, int64_t total_ms, const char *fault, status code,
                        const char *text)
{
    check_closed(program, total_ms, 0, fault, code, text);
}

static void one_that_does_not_start_says_why(void **)
{
    check_fault("#!/bin/bash\necho first >&2\necho 'No usable sandbox!' >&2\nexit 1\n", PATIENT_MS,
                "browser", STATUS_UNAVAILABLE, "did not start: its sandbox needs user namespaces");
    check_fault("#!/bin/bash\necho first >&2\necho 'no room' >&2\nexit 1\n", PATIENT_MS, "browser",
                STATUS_UNAVAILABLE, "did not start: no room");
}

static void one_that_dies_takes_its_pages_along(void **)
{
    check_fault(PROGRAM("  *createTarget*) exit 1 ;;\n"), PATIENT_MS, "browser", STATUS_UNAVAILABLE,
                "ended while it showed the page: by itself");
}

static void one_that_talks_nonsense_is_ended(void **)
{
    check_fault(PROGRAM("  *createTarget*) say 'nonsense' ;;\n"), PATIENT_MS, "browser",
                STATUS_UNAVAILABLE, "no message of a browser");
}

static void one_that_refuses_is_no_page(void **)
{
    check_fault(
        PROGRAM("  *createTarget*) say \"{\\\"id\\\":$id,\\\"error\\\":{\\\"message\\\":\\\"no "
                "room\\\"}}\"; continue ;;\n"),
        PATIENT_MS, "browser", STATUS_UNAVAILABLE, "no room");
}

/* It never answers, not even that a page has gone: it is ended, and the next one is new. */
static void one_that_hangs_is_ended(void **)
{
    check_closed(PROGRAM("  *createBrowserContext*) sleep 1000 ;;\n"), 500, SHORT_MS, "timeout",
                 STATUS_DEADLINE_EXCEEDED, "took");
}

static void one_that_works_shows_pages(void **)
{
    struct stage stage;
    stage_open(&stage, PROGRAM(""), 2);
    for (int i = 0; i < 5; i++) (void)ask(&stage, PATIENT_MS);
    until_ended(&stage, 5);
    assert_string_equal(stage.fault, "");
    assert_string_equal(stage.content, "<p>Hi");
    assert_string_equal(stage.url, "https://a.test/b");
    stage_close(&stage);
}

/* Cancelled at each step of its life: nothing comes of it, and the others are not disturbed. */
static void a_page_that_is_cancelled_is_gone(void **)
{
    struct stage stage;
    stage_open(&stage, PROGRAM(""), 2);
    for (int turns = 0; turns < 30; turns++) {
        struct page *page = ask(&stage, PATIENT_MS);
        unsigned before   = stage.ended;
        for (int i = 0; i < turns && stage.ended == before; i++) loop_turn(stage.loop, TURN_MS);
        if (stage.ended == before) page_cancel(page);
        unsigned now = stage.ended;
        (void)ask(&stage, PATIENT_MS);
        until_ended(&stage, now + 1);
        assert_string_equal(stage.fault, "");
    }
    stage_close(&stage);
}

/* Its connection's hosts go with the configuration, perhaps before it has closed. */
static void a_page_outlives_the_configuration(void **)
{
    struct stage stage;
    struct page *page = NULL;
    json hosts        = json_array_new(1);
    stage_open(&stage, PROGRAM(""), 1);
    json_array_push(&hosts, json_text_from("a.test"));
    hosts                             = json_freeze(hosts);
    const struct page_request request = {.product    = PAGE_HTML,
                                         .url        = str_from("https://a.test/"),
                                         .user_agent = str_from("robot"),
                                         .hosts      = hosts,
                                         .total_ms   = PATIENT_MS};
    assert_int_equal(page_start(stage.browser, &request, ended, &stage, &page, NULL), STATUS_OK);
    json_thaw_and_free(hosts);
    until_ended(&stage, 1);
    stage_close(&stage);
}

/* --- when it has had enough ------------------------------------------------------------------- */

static void one_that_has_shown_its_pages_makes_way(void **)
{
    struct stage stage;
    stage_open_with(&stage, PROGRAM(COUNTED), 2, &(struct browser_options){.pages_max = 2});
    for (int i = 0; i < 5; i++) (void)ask(&stage, PATIENT_MS);
    until_ended(&stage, 5);
    assert_string_equal(stage.fault, "");
    assert_int_equal(starts_of(&stage), 3);
    stage_close(&stage);
}

static void one_that_has_nothing_to_do_ends(void **)
{
    struct stage stage;
    stage_open_with(&stage, PROGRAM(COUNTED), 1, &(struct browser_options){.idle_ms = 1});
    for (unsigned i = 1; i <= 2; i++) {
        (void)ask(&stage, PATIENT_MS);
        until_ended(&stage, i);
        for (int turn = 0; turn < TURNS_MAX && stage.browser->state != BROWSER_NONE; turn++) {
            loop_turn(stage.loop, TURN_MS);
        }
        assert_int_equal(stage.browser->state, BROWSER_NONE);
    }
    assert_int_equal(starts_of(&stage), 2);
    stage_close(&stage);
}

/* It says that this test is its process; the page is there once it was asked for that. */
#define MEASURED                                                                                   \
    COUNTED                                                                                        \
    "  *Page.navigate*) say \"{\\\"id\\\":$id,\\\"result\\\":{}}\"; continue ;;\n"                 \
    "  *getProcessInfo*) say '{\"method\":\"Page.loadEventFired\",\"sessionId\":\"S\"}'; "         \
    "result=\"{\\\"processInfo\\\":[{\\\"id\\\":$PPID}]}\" ;;\n"

static void one_that_is_large_makes_way_for_the_next_page(void **)
{
    struct stage stage;
    uint64_t size = chromium_memory_of(getpid());
    assert_true(size > 0);
    stage_open_with(&stage, PROGRAM(MEASURED), 1,
                    &(struct browser_options){.memory_max = size / 4 * 3, .look_ms = 1});
    for (unsigned i = 1; i <= 2; i++) {
        (void)ask(&stage, PATIENT_MS);
        until_ended(&stage, i);
        assert_string_equal(stage.fault, ""); /* the one that it showed then is taken */
    }
    assert_int_equal(starts_of(&stage), 2);
    stage_close(&stage);
}

static void one_that_is_huge_is_ended_at_once(void **)
{
    struct stage stage;
    stage_open_with(&stage, PROGRAM(MEASURED), 1,
                    &(struct browser_options){.memory_max = 1, .look_ms = 1});
    (void)ask(&stage, PATIENT_MS);
    until_ended(&stage, 1);
    assert_string_equal(stage.fault, "browser");
    assert_non_null(strstr(stage.error, "it took too much memory"));
    stage_close(&stage);
}

/* What a page says is read on the loop: one that says much is ended before it keeps that busy. */
static void a_page_that_says_much_or_opens_many_windows_is_ended(void **)
{
    static const struct {
        const char *program, *text;
    } rows[] = {
        {PROGRAM(
             "  *Page.navigate*) for i in {1..40}; do say \"{\\\"method\\\":\\\"Page.x\\\","
             "\\\"sessionId\\\":\\\"S\\\",\\\"params\\\":{\\\"x\\\":\\\"$(printf %100s)\\\"}}\"; "
             "done; result='{}' ;;\n"),
         "its requests have more than 4000 bytes"},
        {PROGRAM("  *Page.navigate*) for i in {1..11}; do say "
                 "'{\"method\":\"Page.windowOpen\",\"sessionId\":\"S\",\"params\":{}}'; done; "
                 "result='{}' ;;\n"),
         "it opens more than 10 windows"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct stage stage;
        stage_open_with(&stage, rows[i].program, 1, &(struct browser_options){.said_max = 4'000});
        (void)ask(&stage, PATIENT_MS);
        until_ended(&stage, 1);
        assert_string_equal(stage.fault, "too_large");
        assert_string_equal(stage.error, rows[i].text);
        stage_close(&stage);
    }
}

/* Its own sandbox is given up only where the configuration says so. */
static void only_tests_do_without_the_sandbox(void **)
{
    const char *program = PROGRAM("  *getVersion*) case \"$*\" in *--no-sandbox*) "
                                  "echo >> \"$0.starts\" ;; esac; result='{}' ;;\n");
    for (unsigned i = 0; i < 2; i++) {
        struct stage stage;
        stage_open_with(&stage, program, 1, &(struct browser_options){.has_sandbox = i == 0});
        (void)ask(&stage, PATIENT_MS);
        until_ended(&stage, 1);
        assert_string_equal(stage.fault, "");
        assert_int_equal(starts_of(&stage), i);
        stage_close(&stage);
    }
}

static void root_is_told_that_there_is_no_sandbox(void **)
{
    for (unsigned i = 0; i < 2; i++) {
        struct stage stage;
        struct page *page                 = NULL;
        struct error error                = {};
        const struct page_request request = {.url        = str_from("https://a.test/"),
                                             .user_agent = str_from("robot"),
                                             .total_ms   = PATIENT_MS};
        stage_open_with(&stage, PROGRAM(""), 1,
                        &(struct browser_options){.has_sandbox = i == 0, .is_root = true});
        status code = page_start(stage.browser, &request, ended, &stage, &page, &error);
        assert_int_equal(code, i == 0 ? STATUS_FAILED_PRECONDITION : STATUS_OK);
        if (i == 0) assert_non_null(strstr(error.text, "tools.browser.sandbox"));
        if (i == 1) until_ended(&stage, 1);
        stage_close(&stage);
    }
}

/* Pages that wait get their turn one after the other, and no more than so many wait. */
static void no_more_pages_wait_than_may(void **)
{
    struct stage stage;
    struct page *page                 = NULL;
    const struct page_request request = {.url        = str_from("https://a.test/"),
                                         .user_agent = str_from("robot"),
                                         .total_ms   = PATIENT_MS};
    stage_open(&stage, PROGRAM(""), 1);
    struct page **pages = mem_new(BROWSER_WAITING_MAX, sizeof *pages);
    for (int i = 0; i < BROWSER_WAITING_MAX; i++) pages[i] = ask(&stage, PATIENT_MS);
    assert_int_equal(page_start(stage.browser, &request, ended, &stage, &page, NULL),
                     STATUS_RESOURCE_EXHAUSTED);
    for (int i = 0; i < BROWSER_WAITING_MAX; i++) page_cancel(pages[i]);
    free(pages);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there_is_named),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
        cmocka_unit_test(one_that_does_not_start_says_why),
        cmocka_unit_test(one_that_dies_takes_its_pages_along),
        cmocka_unit_test(one_that_talks_nonsense_is_ended),
        cmocka_unit_test(one_that_refuses_is_no_page),
        cmocka_unit_test(one_that_hangs_is_ended),
        cmocka_unit_test(one_that_works_shows_pages),
        cmocka_unit_test(a_page_that_is_cancelled_is_gone),
        cmocka_unit_test(a_page_outlives_the_configuration),
        cmocka_unit_test(one_that_has_shown_its_pages_makes_way),
        cmocka_unit_test(one_that_has_nothing_to_do_ends),
        cmocka_unit_test(one_that_is_large_makes_way_for_the_next_page),
        cmocka_unit_test(one_that_is_huge_is_ended_at_once),
        cmocka_unit_test(only_tests_do_without_the_sandbox),
        cmocka_unit_test(a_page_that_says_much_or_opens_many_windows_is_ended),
        cmocka_unit_test(root_is_told_that_there_is_no_sandbox),
        cmocka_unit_test(no_more_pages_wait_than_may),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* as the services do: a browser that dies does not read */
    if (http_init(NULL) != STATUS_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
