#include "tool-adapter/http/job_asks.h"

#include "base/buf.h"
#include "json/json_text.h"

enum { QUESTION_MAX = 256 << 10 /* bytes */ };

static json parsed(ProtobufCBinaryData text)
{
    str source = {.ptr = (const char *)text.data, .len = text.len};
    json value = json_invalid();
    if (text.len > 0) (void)!json_parse(source, NULL, &value, NULL, NULL);
    return value;
}

static void ask(json question, json noted, void *context)
{
    struct job_asks *asks = context;
    json_unref(asks->question);
    json_unref(asks->noted);
    asks->question = json_ref(question);
    asks->noted    = json_ref(noted);
}

void job_asks_init(struct job_asks *asks, const Pb__LeasedJob *leased)
{
    *asks            = (struct job_asks){.has_somebody = !leased->undoes && !leased->settles,
                                         .asked        = parsed(leased->asked_json),
                                         .answer       = parsed(leased->answer_json)};
    asks->respondent = (struct respondent){
        .asked = asks->asked, .answer = asks->answer, .ask = ask, .context = asks};
    if (!leased->takes_questions) {
        asks->respondent.mute = "the scheduler is older than this tool-adapter and puts no "
                                "questions to people; update it";
    }
}

void job_asks_done(struct job_asks *asks)
{
    json_unref(json_take(&asks->asked));
    json_unref(json_take(&asks->answer));
    json_unref(json_take(&asks->question));
    json_unref(json_take(&asks->noted));
}

const struct respondent *job_asks_respondent(const struct job_asks *asks)
{
    return asks->has_somebody ? &asks->respondent : NULL;
}

bool job_asks_report(const struct job_asks *asks, json shown, const Pb__Usage *usage,
                     struct worker_job *job)
{
    CLEANUP(buf_done) struct buf question = buf_init(QUESTION_MAX);
    CLEANUP(buf_done) struct buf noted    = buf_init(JOB_ASKED_MAX);
    Pb__JobReleased released              = PB__JOB_RELEASED__INIT;
    if (json_is(asks->question, JSON_INVALID)) return false;
    bool fits =
        json_print(shown, JSON_COMPACT, &question) && json_print(asks->noted, JSON_COMPACT, &noted);
    if (!fits) return false; /* it ends as it would if there were nobody to ask */
    released.question_json =
        (ProtobufCBinaryData){.data = (uint8_t *)question.ptr, .len = question.len};
    released.asked_json = (ProtobufCBinaryData){.data = (uint8_t *)noted.ptr, .len = noted.len};
    released.usage      = (Pb__Usage *)(uintptr_t)usage;
    released.reason     = "a person is asked";
    worker_hand_back(job, &released);
    return true;
}
