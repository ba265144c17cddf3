/* Requests of each client protocol as each upstream protocol has them, member by member, and what
 * is lost on the way. JSON stands in single quotes here. */
#include "base/buf.h"
#include "llm-proxy/chat/chat.h"
#include "llm-proxy/chat/repair.h"
#include "llm-proxy/providers/anthropic.h"
#include "llm-proxy/providers/gemini.h"

#include "cmocka.h"
#include "json/json_text.h"

enum { ARENA_MAX = 8 << 20, TEXT_MAX = 1 << 20 };

struct row {
    const char *name;
    enum llm_protocol from, to;
    const char *request; /* what the client says besides its least */
    const char *expected;
    const char *losses;
};

#define O PROTOCOL_OPENAI
#define A PROTOCOL_ANTHROPIC
#define G PROTOCOL_GEMINI

#define O_MSG "'model':'r','messages':[{'role':'user','content':'hi'}]"
#define A_MSG "'model':'r','max_tokens':9,'messages':[{'role':'user','content':'hi'}]"
#define G_MSG "'contents':[{'role':'user','parts':[{'text':'hi'}]}]"

#define O_HI "'model':'m','messages':[{'role':'user','content':'hi'}]"
#define A_HI                                                                                       \
    "'model':'m','max_tokens':9,"                                                                  \
    "'messages':[{'role':'user','content':[{'type':'text','text':'hi'}]}]"
#define A_HI_DEFAULT                                                                               \
    "'model':'m','max_tokens':4096,"                                                               \
    "'messages':[{'role':'user','content':[{'type':'text','text':'hi'}]}]"
#define G_HI "'contents':[{'role':'user','parts':[{'text':'hi'}]}],'generationConfig':"

#define LIMIT  ",'max_completion_tokens':9"
#define SCHEMA "{'type':'object','properties':{'a':{'type':['string','null']}}}"
#define O_TOOL "'tools':[{'type':'function','function':{'name':'f','parameters':" SCHEMA "}}]"
#define A_TOOL "'tools':[{'name':'f','input_schema':" SCHEMA "}]"
#define G_TOOL "'tools':[{'functionDeclarations':[{'name':'f','parametersJsonSchema':" SCHEMA "}]}]"

/* clang-format off */
static const struct row rows[] = {
    {"OpenAI to Anthropic: the least", O, A, "{" O_MSG "}", "{" A_HI_DEFAULT "}", "/max_completion_tokens"},
    {"OpenAI to Gemini: the least", O, G, "{" O_MSG "}", "{" G_HI "{}}", ""},
    {"Anthropic to OpenAI: the least", A, O, "{" A_MSG "}", "{" O_HI ",'max_completion_tokens':9}", ""},
    {"Anthropic to Gemini: the least", A, G, "{" A_MSG "}", "{" G_HI "{'maxOutputTokens':9}}", ""},
    {"Gemini to OpenAI: the least", G, O, "{" G_MSG "}", "{" O_HI "}", ""},
    {"Gemini to Anthropic: the least", G, A, "{" G_MSG "}", "{" A_HI_DEFAULT "}", "/generationConfig/maxOutputTokens"},

    {"its own words pass: OpenAI", O, O, "{" O_MSG ",'fresh':{'x':1}}", "{" O_HI ",'fresh':{'x':1}}", ""},
    {"its own words pass: Anthropic", A, A, "{" A_MSG ",'fresh':[1.5]}", "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':'hi'}],'fresh':[1.5]}", ""},
    {"its own words pass: Gemini", G, G, "{" G_MSG ",'fresh':null}", "{" G_MSG ",'fresh':null}", ""},

    {"system messages are joined: Anthropic", O, A,
     "{'model':'r','max_tokens':9,'messages':[{'role':'developer','content':'a'},{'role':'user','content':'hi'},{'role':'system','content':'b'}]}",
     "{'model':'m','max_tokens':9,'system':[{'type':'text','text':'a'},{'type':'text','text':'b'}],'messages':[{'role':'user','content':[{'type':'text','text':'hi'}]}]}", ""},
    {"system messages are joined: Gemini", O, G,
     "{'model':'r','messages':[{'role':'system','content':'a'},{'role':'user','content':'hi'},{'role':'system','content':'b'}]}",
     "{'systemInstruction':{'parts':[{'text':'a'},{'text':'b'}]}," G_HI "{}}", ""},
    {"system of Anthropic", A, O, "{'system':[{'type':'text','text':'a','cache_control':{'type':'ephemeral'}}]," A_MSG "}",
     "{'model':'m','messages':[{'role':'system','content':'a'},{'role':'user','content':'hi'}],'max_completion_tokens':9}", "/system/content/0/cache_control"},
    {"one content and one part without lists, as in Google's examples", G, O, "{'system_instruction':{'parts':{'text':'a'}},'contents':{'parts':{'text':'hi'}}}",
     "{'model':'m','messages':[{'role':'system','content':'a'},{'role':'user','content':'hi'}]}", ""},
    {"system of Gemini, in the other spelling", G, O, "{'system_instruction':{'parts':[{'text':'a'}]}," G_MSG "}",
     "{'model':'m','messages':[{'role':'system','content':'a'},{'role':'user','content':'hi'}]}", ""},

    {"a system message alone is the question: Anthropic", O, A, "{'model':'r','max_tokens':9,'messages':[{'role':'system','content':'a'}]}",
     "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':[{'type':'text','text':'a'}]}]}", "/messages/0"},
    {"a system message alone is the question: Gemini", O, G, "{'model':'r','messages':[{'role':'developer','content':'a'},{'role':'user','content':''}]}",
     "{'contents':[{'role':'user','parts':[{'text':'a'}]}],'generationConfig':{}}", "/messages/0"},
    {"empty messages are refused elsewhere: Anthropic", O, A,
     "{'model':'r','max_tokens':9,'messages':[{'role':'system','content':''},{'role':'user','content':'a'},{'role':'assistant','content':''},{'role':'user','content':'b'}]}",
     "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':[{'type':'text','text':'a'},{'type':'text','text':'b'}]}]}", ""},
    {"empty messages are refused elsewhere: Gemini", O, G,
     "{'model':'r','messages':[{'role':'system','content':''},{'role':'user','content':'a'},{'role':'assistant','content':''},{'role':'user','content':'b'}]}",
     "{'contents':[{'role':'user','parts':[{'text':'a'},{'text':'b'}]}],'generationConfig':{}}", ""},
    {"refusals and names: Anthropic", O, A,
     "{'model':'r','max_tokens':9,'messages':[{'role':'user','name':'bob','content':'a'},{'role':'assistant','content':null,'refusal':'no'},{'role':'user','content':'b'}]}",
     "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':[{'type':'text','text':'a'}]},{'role':'assistant','content':[{'type':'text','text':'no'}]},"
     "{'role':'user','content':[{'type':'text','text':'b'}]}]}", "/messages/1/content/0, /messages/0/name"},
    {"how closely pictures are looked at: Gemini", O, G,
     "{'model':'r','messages':[{'role':'user','content':[{'type':'image_url','image_url':{'url':'data:image/png;base64,AAAA','detail':'low'}}]}]}",
     "{'contents':[{'role':'user','parts':[{'inlineData':{'mimeType':'image/png','data':'AAAA'}}]}],'generationConfig':{}}", "/messages/0/content/0/image_url/detail"},
    {"what others of that protocol send: Anthropic", O, A,
     "{'model':'r','max_tokens':9,'messages':[{'role':'user','content':[{'type':'video_url','video_url':{'url':'x'}},{'type':'image_url','image_url':'data:image/png;base64,AAAA'}]},"
     "{'role':'assistant','tool_calls':[{'id':'1','type':'function','function':{'name':'f','arguments':{'x':1}}}]}],'stop':['','\\n','END'],"
     "'tools':[{'type':'function','function':{'name':'f','parameters':null}}],'tool_choice':'any'}",
     "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':[{'type':'image','source':{'type':'base64','media_type':'image/png','data':'AAAA'}}]},"
     "{'role':'assistant','content':[{'type':'tool_use','id':'1','name':'f','input':{'x':1}}]}],'tools':[{'name':'f','input_schema':{'type':'object','properties':{}}}],"
     "'tool_choice':{'type':'any'},'stop_sequences':['END']}", "/messages/0/content/0, /stop"},
    {"a function without parameters: Gemini", O, G, "{" O_MSG ",'tools':[{'type':'function','function':{'name':'f','parameters':null}}]}",
     "{'contents':[{'role':'user','parts':[{'text':'hi'}]}],'tools':[{'functionDeclarations':[{'name':'f'}]}],'generationConfig':{}}", ""},
    {"an empty list of tools is refused: OpenAI", A, O, "{" A_MSG ",'tools':[{'type':'web_search_20250305','name':'s'}],'tool_choice':{'type':'any','disable_parallel_tool_use':true}}",
     "{" O_HI ",'max_completion_tokens':9}", "/tools/0"},

    {"parallel calls and their answers: OpenAI to Anthropic", O, A,
     "{'model':'r','max_tokens':9,'messages':[{'role':'assistant','content':'so','tool_calls':["
     "{'id':'1','type':'function','function':{'name':'f','arguments':'{\\'x\\':1}'}},{'id':'2','type':'function','function':{'name':'g','arguments':''}}]},"
     "{'role':'tool','tool_call_id':'1','content':'one'},{'role':'tool','tool_call_id':'2','content':[{'type':'text','text':'two'}]},{'role':'user','content':'hi'}]}",
     "{'model':'m','max_tokens':9,'messages':[{'role':'assistant','content':[{'type':'text','text':'so'},{'type':'tool_use','id':'1','name':'f','input':{'x':1}},"
     "{'type':'tool_use','id':'2','name':'g','input':{}}]},{'role':'user','content':[{'type':'tool_result','tool_use_id':'1','content':'one'},"
     "{'type':'tool_result','tool_use_id':'2','content':'two'},{'type':'text','text':'hi'}]}]}", ""},
    {"parallel calls and their answers: OpenAI to Gemini", O, G,
     "{'model':'r','messages':[{'role':'assistant','content':null,'tool_calls':["
     "{'id':'1','type':'function','function':{'name':'f','arguments':'{\\'x\\':1}'}},{'id':'2','type':'function','function':{'name':'g','arguments':'{}'}}]},"
     "{'role':'tool','tool_call_id':'2','content':'two'},{'role':'tool','tool_call_id':'1','content':'one'}]}",
     "{'contents':[{'role':'model','parts':[{'functionCall':{'id':'1','name':'f','args':{'x':1}}},{'functionCall':{'id':'2','name':'g','args':{}}}]},"
     "{'role':'user','parts':[{'functionResponse':{'id':'2','name':'g','response':{'output':'two'}}},{'functionResponse':{'id':'1','name':'f','response':{'output':'one'}}}]}],'generationConfig':{}}", ""},
    {"arguments that are no object", O, A,
     "{'model':'r','max_tokens':9,'messages':[{'role':'assistant','content':null,'tool_calls':[{'id':'1','type':'function','function':{'name':'f','arguments':'nope'}}]}]}",
     "{'model':'m','max_tokens':9,'messages':[{'role':'assistant','content':[{'type':'tool_use','id':'1','name':'f','input':{'_invalid':'nope'}}]}]}", "/messages/0/tool_calls/0"},
    {"parallel calls and their answers: Anthropic to OpenAI", A, O,
     "{'model':'r','max_tokens':9,'messages':[{'role':'assistant','content':[{'type':'thinking','thinking':'hm','signature':'s'},{'type':'tool_use','id':'1','name':'f','input':{'x':1}},{'type':'tool_use','id':'2','name':'g','input':{}}]},"
     "{'role':'user','content':[{'type':'tool_result','tool_use_id':'1','content':[{'type':'text','text':'one'}]},{'type':'tool_result','tool_use_id':'2','is_error':true},{'type':'text','text':'hi'}]}]}",
     "{'model':'m','messages':[{'role':'assistant','content':null,'tool_calls':[{'id':'1','type':'function','function':{'name':'f','arguments':'{\\'x\\':1}'}},"
     "{'id':'2','type':'function','function':{'name':'g','arguments':'{}'}}]},{'role':'tool','tool_call_id':'1','content':'one'},{'role':'tool','tool_call_id':'2','content':''},{'role':'user','content':'hi'}],'max_completion_tokens':9}",
     "/messages/0/content/0"},
    {"an answer of a tool that is an error: Anthropic to Gemini", A, G,
     "{'model':'r','max_tokens':9,'messages':[{'role':'assistant','content':[{'type':'tool_use','id':'1','name':'f','input':{}}]},{'role':'user','content':[{'type':'tool_result','tool_use_id':'1','content':'bad','is_error':true}]}]}",
     "{'contents':[{'role':'model','parts':[{'functionCall':{'id':'1','name':'f','args':{}}}]},{'role':'user','parts':[{'functionResponse':{'id':'1','name':'f','response':{'error':'bad'}}}]}],'generationConfig':{'maxOutputTokens':9}}", ""},
    {"calls without ids: Gemini to OpenAI", G, O,
     "{'contents':[{'role':'model','parts':[{'functionCall':{'name':'f','args':{'x':1}}},{'functionCall':{'name':'f'}}]},"
     "{'role':'user','parts':[{'functionResponse':{'name':'f','response':{'output':'one'}}},{'functionResponse':{'name':'f','response':{'n':2}}}]}]}",
     "{'model':'m','messages':[{'role':'assistant','content':null,'tool_calls':[{'id':'call_0','type':'function','function':{'name':'f','arguments':'{\\'x\\':1}'}},"
     "{'id':'call_1','type':'function','function':{'name':'f','arguments':'{}'}}]},{'role':'tool','tool_call_id':'call_0','content':'one'},{'role':'tool','tool_call_id':'call_1','content':'{\\'n\\':2}'}]}", ""},

    {"tools: OpenAI to Anthropic", O, A, "{" O_MSG LIMIT "," O_TOOL ",'tool_choice':'required','parallel_tool_calls':false}",
     "{" A_HI "," A_TOOL ",'tool_choice':{'type':'any','disable_parallel_tool_use':true}}", ""},
    {"tools: OpenAI to Gemini", O, G, "{" O_MSG "," O_TOOL ",'tool_choice':{'type':'function','function':{'name':'f'}},'parallel_tool_calls':false}",
     "{'contents':[{'role':'user','parts':[{'text':'hi'}]}]," G_TOOL ",'toolConfig':{'functionCallingConfig':{'mode':'ANY','allowedFunctionNames':['f']}},'generationConfig':{}}", "/parallel_tool_calls"},
    {"tools: Anthropic to OpenAI", A, O, "{" A_MSG "," A_TOOL ",'tool_choice':{'type':'tool','name':'f','disable_parallel_tool_use':true}}",
     "{" O_HI "," O_TOOL ",'tool_choice':{'type':'function','function':{'name':'f'}},'parallel_tool_calls':false,'max_completion_tokens':9}", ""},
    {"tools: Gemini to OpenAI, capitals and nullable", G, O,
     "{" G_MSG ",'tools':[{'functionDeclarations':[{'name':'f','parameters':{'type':'OBJECT','properties':{'a':{'type':'STRING','nullable':true}},'propertyOrdering':['a']}}]}],"
     "'toolConfig':{'functionCallingConfig':{'mode':'ANY'}}}",
     "{" O_HI "," O_TOOL ",'tool_choice':'required'}", ""},
    {"tools: Gemini to Anthropic", G, A, "{" G_MSG "," G_TOOL ",'generationConfig':{'maxOutputTokens':9},'toolConfig':{'functionCallingConfig':{'mode':'NONE'}}}",
     "{" A_HI "," A_TOOL ",'tool_choice':{'type':'none'}}", ""},
    {"tools that may be called: to Anthropic", O, A,
     "{" O_MSG LIMIT ",'tools':[{'type':'function','function':{'name':'e'}},{'type':'function','function':{'name':'f','parameters':" SCHEMA "}}],"
     "'tool_choice':{'type':'allowed_tools','allowed_tools':{'mode':'auto','tools':[{'type':'function','function':{'name':'f'}}]}}}",
     "{" A_HI "," A_TOOL ",'tool_choice':{'type':'auto'}}", ""},
    {"a tool of Anthropic's own", A, O, "{" A_MSG ",'tools':[{'type':'web_search_20250305','name':'web_search'},{'name':'f','input_schema':" SCHEMA "}]}",
     "{" O_HI "," O_TOOL ",'max_completion_tokens':9}", "/tools/0"},

    {"an image: OpenAI to Anthropic", O, A, "{'model':'r','max_tokens':9,'messages':[{'role':'user','content':[{'type':'image_url','image_url':{'url':'data:image/png;base64,AAAA'}},{'type':'image_url','image_url':{'url':'https://h/i'}}]}]}",
     "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':[{'type':'image','source':{'type':'base64','media_type':'image/png','data':'AAAA'}},{'type':'image','source':{'type':'url','url':'https://h/i'}}]}]}", ""},
    {"an image: OpenAI to Gemini", O, G, "{'model':'r','messages':[{'role':'user','content':[{'type':'image_url','image_url':{'url':'data:image/png;base64,AAAA'}},{'type':'image_url','image_url':{'url':'https://h/i'}}]}]}",
     "{'contents':[{'role':'user','parts':[{'inlineData':{'mimeType':'image/png','data':'AAAA'}}]}],'generationConfig':{}}", "/messages/0/content/1"},
    {"an image and a document: Anthropic to OpenAI", A, O,
     "{'model':'r','max_tokens':9,'messages':[{'role':'user','content':[{'type':'image','source':{'type':'base64','media_type':'image/png','data':'AAAA'}},"
     "{'type':'document','title':'t.pdf','source':{'type':'base64','media_type':'application/pdf','data':'BBBB'}},{'type':'document','source':{'type':'text','media_type':'text/plain','data':'plain'}}]}]}",
     "{'model':'m','messages':[{'role':'user','content':[{'type':'image_url','image_url':{'url':'data:image/png;base64,AAAA'}},"
     "{'type':'file','file':{'filename':'t.pdf','file_data':'data:application/pdf;base64,BBBB'}},{'type':'text','text':'plain'}]}],'max_completion_tokens':9}", ""},
    {"audio: OpenAI to Gemini", O, G, "{'model':'r','messages':[{'role':'user','content':[{'type':'input_audio','input_audio':{'data':'AAAA','format':'wav'}}]}]}",
     "{'contents':[{'role':'user','parts':[{'inlineData':{'mimeType':'audio/wav','data':'AAAA'}}]}],'generationConfig':{}}", ""},
    {"an image: Gemini to Anthropic", G, A, "{'contents':[{'parts':[{'inline_data':{'mime_type':'image/png','data':'AAAA'}}]}],'generation_config':{'max_output_tokens':9}}",
     "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':[{'type':'image','source':{'type':'base64','media_type':'image/png','data':'AAAA'}}]}]}", ""},
    {"a text file: OpenAI to Anthropic", O, A, "{'model':'r','max_tokens':9,'messages':[{'role':'user','content':[{'type':'file','file':{'filename':'a.txt','file_data':'data:text/plain;base64,aGk='}},{'type':'file','file':{'file_id':'x'}}]}]}",
     "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':[{'type':'document','source':{'type':'text','media_type':'text/plain','data':'hi'},'title':'a.txt'}]}]}", "/messages/0/content/1"},

    {"a schema: OpenAI to Anthropic", O, A, "{" O_MSG LIMIT ",'response_format':{'type':'json_schema','json_schema':{'name':'n','schema':" SCHEMA "}}}",
     "{" A_HI ",'output_config':{'format':{'type':'json_schema','schema':" SCHEMA "}}}", ""},
    {"a schema: OpenAI to Gemini", O, G, "{" O_MSG ",'response_format':{'type':'json_schema','json_schema':{'name':'n','schema':" SCHEMA "}}}",
     "{" G_HI "{'responseMimeType':'application/json','responseJsonSchema':" SCHEMA "}}", ""},
    {"a schema: Anthropic to OpenAI", A, O, "{" A_MSG ",'output_config':{'format':{'type':'json_schema','schema':" SCHEMA "}}}",
     "{" O_HI ",'response_format':{'type':'json_schema','json_schema':{'name':'answer','schema':" SCHEMA "}},'max_completion_tokens':9}", ""},
    {"a schema: Gemini to OpenAI", G, O, "{" G_MSG ",'generationConfig':{'responseMimeType':'application/json','responseSchema':{'type':'OBJECT','properties':{'a':{'type':'STRING','nullable':true}}}}}",
     "{" O_HI ",'response_format':{'type':'json_schema','json_schema':{'name':'answer','schema':" SCHEMA "}}}", ""},
    {"JSON without a schema: OpenAI to Anthropic", O, A, "{" O_MSG LIMIT ",'response_format':{'type':'json_object'}}",
     "{'model':'m','max_tokens':9,'system':[{'type':'text','text':'Answer with one JSON object and nothing else.'}],'messages':[{'role':'user','content':[{'type':'text','text':'hi'}]}]}", "/response_format"},

    {"sampling: OpenAI to Anthropic", O, A, "{" O_MSG LIMIT ",'temperature':1.5,'top_p':0.5,'stop':['x'],'user':'u','seed':1,'n':2,'logit_bias':{},'verbosity':'low'}",
     "{" A_HI ",'temperature':1,'top_p':0.5,'metadata':{'user_id':'u'},'stop_sequences':['x']}", "/temperature, /seed, /n, /logit_bias, /verbosity"},
    {"sampling: OpenAI to Gemini", O, G, "{" O_MSG ",'temperature':1.5,'top_p':0.5,'stop':'x','seed':1,'n':2,'max_tokens':9,'user':'u'}",
     "{" G_HI "{'temperature':1.5,'topP':0.5,'seed':1,'maxOutputTokens':9,'candidateCount':2,'stopSequences':['x']}}", "/user"},
    {"sampling: Anthropic to OpenAI", A, O, "{" A_MSG ",'temperature':0.5,'top_p':0.5,'top_k':3,'stop_sequences':['x'],'metadata':{'user_id':'u'},'service_tier':'auto'}",
     "{" O_HI ",'temperature':0.5,'top_p':0.5,'max_completion_tokens':9,'user':'u','stop':['x']}", "/top_k, /service_tier"},
    {"sampling: Gemini to OpenAI", G, O, "{" G_MSG ",'generationConfig':{'temperature':0.5,'topP':0.5,'topK':3,'maxOutputTokens':9,'stopSequences':['x'],'candidateCount':2,'seed':4,'presencePenalty':1},'safetySettings':[]}",
     "{" O_HI ",'temperature':0.5,'top_p':0.5,'seed':4,'max_completion_tokens':9,'n':2,'stop':['x']}", "/generationConfig/topK, /safetySettings, /generationConfig/presencePenalty"},

    {"effort: OpenAI to Anthropic", O, A, "{" O_MSG LIMIT ",'reasoning_effort':'minimal'}", "{" A_HI ",'output_config':{'effort':'low'}}", "/reasoning_effort"},
    {"no effort: OpenAI to Anthropic", O, A, "{" O_MSG LIMIT ",'reasoning_effort':'none'}", "{" A_HI ",'thinking':{'type':'disabled'}}", ""},
    {"effort: OpenAI to Gemini", O, G, "{" O_MSG ",'reasoning_effort':'xhigh'}", "{" G_HI "{'thinkingConfig':{'includeThoughts':true,'thinkingLevel':'HIGH'}}}", "/reasoning_effort"},
    {"no effort: OpenAI to Gemini", O, G, "{" O_MSG ",'reasoning_effort':'none'}", "{" G_HI "{'thinkingConfig':{'thinkingBudget':0}}}", ""},
    {"a budget of thinking: Anthropic to OpenAI", A, O, "{" A_MSG ",'thinking':{'type':'enabled','budget_tokens':4000}}", "{" O_HI ",'max_completion_tokens':9,'reasoning_effort':'medium'}", "/thinking"},
    {"a budget of thinking: Anthropic to Gemini", A, G, "{" A_MSG ",'thinking':{'type':'enabled','budget_tokens':4000}}", "{" G_HI "{'maxOutputTokens':9,'thinkingConfig':{'includeThoughts':true,'thinkingBudget':4000}}}", ""},
    {"a budget of thinking: Gemini to Anthropic", G, A, "{" G_MSG ",'generationConfig':{'thinkingConfig':{'thinkingBudget':2000}}}",
     "{" A_HI_DEFAULT ",'thinking':{'type':'enabled','budget_tokens':2000}}", "/generationConfig/maxOutputTokens"},
    {"thinking as it likes: Gemini to Anthropic", G, A, "{" G_MSG ",'generationConfig':{'maxOutputTokens':9,'thinkingConfig':{'thinkingBudget':-1}}}", "{" A_HI ",'thinking':{'type':'adaptive'}}", ""},
    {"a level of thinking: Gemini to OpenAI", G, O, "{" G_MSG ",'generationConfig':{'thinkingConfig':{'thinkingLevel':'LOW'}}}", "{" O_HI ",'reasoning_effort':'low'}", ""},
};
/* clang-format on */

static json parse(const char *text)
{
    json value                        = json_invalid();
    CLEANUP(buf_done) struct buf copy = buf_init(TEXT_MAX);
    for (const char *c = text; *c; c++) {
        if (c[0] == '\\' && c[1] == '\'') {
            (void)buf_put_text(&copy, "\\\"");
            c++;
        } else {
            (void)buf_put_byte(&copy, *c == '\'' ? '"' : *c);
        }
    }
    assert_int_equal(json_parse(buf_str(&copy), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

static void read_request(const struct row *row, json body, struct arena *arena,
                         struct chat_request **ret_request)
{
    struct error error = {};
    status code        = STATUS_OK;
    if (row->from == PROTOCOL_OPENAI) {
        code = chat_from_openai(body, arena, ret_request, &error);
    } else if (row->from == PROTOCOL_ANTHROPIC) {
        code = chat_from_anthropic(body, true, arena, ret_request, &error);
    } else {
        code = chat_from_gemini(body, str_from("r"), false, arena, ret_request, &error);
    }
    if (code != STATUS_OK) fail_msg("%s", error.text);
}

static void print_request(const struct row *row, const struct chat_request *request,
                          struct losses *losses, struct buf *out)
{
    const struct provider provider = {};
    str model                      = str_from("m");
    if (row->to == PROTOCOL_OPENAI) {
        assert_true(chat_print_openai(request, model, FLAVOR_OPENAI, losses, out));
    } else if (row->to == PROTOCOL_ANTHROPIC) {
        assert_true(
            anthropic_print(request, model, anthropic_version(&provider, request), losses, out));
    } else {
        assert_true(gemini_print(request, model, losses, out));
    }
}

static void is_translated(void **state)
{
    const struct row *row                    = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json body           = parse(row->request);
    CLEANUP(json_unrefp) json expected       = parse(row->expected);
    CLEANUP(json_unrefp) json printed        = json_invalid();
    CLEANUP(buf_done) struct buf text        = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf paths       = buf_init(TEXT_MAX);
    struct losses losses                     = {.arena = arena};
    struct chat_request *request             = NULL;
    read_request(row, body, arena, &request);
    print_request(row, request, &losses, &text);
    losses_print_paths(&losses, 1024, &paths);
    assert_int_equal(json_parse(buf_str(&text), NULL, &printed, NULL, NULL), STATUS_OK);
    if (!json_equal(printed, expected)) fail_msg("printed: %s", text.ptr);
    assert_string_equal(buf_str(&paths).ptr, row->losses);
    chat_request_done(request);
}

/* --- what is refused ---------------------------------------------------------------------------
 */

struct bad {
    const char *name;
    enum llm_protocol from;
    const char *body, *expected;
};

/* clang-format off */
static const struct bad bad[] = {
    {"Anthropic: no model",          A, "{'max_tokens':1,'messages':[{'role':'user','content':'x'}]}", "/model"},
    {"Anthropic: no max_tokens",     A, "{'model':'m','messages':[{'role':'user','content':'x'}]}", "/max_tokens"},
    {"Anthropic: no messages",       A, "{'model':'m','max_tokens':1}", "/messages"},
    {"Anthropic: unknown role",      A, "{'model':'m','max_tokens':1,'messages':[{'role':'boss','content':'x'}]}", "/messages/0"},
    {"Anthropic: content",           A, "{'model':'m','max_tokens':1,'messages':[{'role':'assistant','content':1}]}", "/messages/0"},
    {"Anthropic: block without type", A, "{'model':'m','max_tokens':1,'messages':[{'role':'user','content':[{}]}]}", "/messages/0"},
    {"Anthropic: result without id", A, "{'model':'m','max_tokens':1,'messages':[{'role':'user','content':[{'type':'tool_result'}]}]}", "/messages/0/content/0"},
    {"Anthropic: call without input", A, "{'model':'m','max_tokens':1,'messages':[{'role':'assistant','content':[{'type':'tool_use','id':'1','name':'f'}]}]}", "tool_use"},
    {"Anthropic: nameless tool",     A, "{" A_MSG ",'tools':[{}]}", "/tools/0"},
    {"Anthropic: unknown choice",    A, "{" A_MSG ",'tool_choice':{'type':'maybe'}}", "/tool_choice"},
    {"Anthropic: budget of nothing", A, "{" A_MSG ",'thinking':{'type':'enabled'}}", "/thinking/budget_tokens"},
    {"Anthropic: format",            A, "{" A_MSG ",'output_config':{'format':{'type':'xml'}}}", "/output_config/format"},
    {"Gemini: no contents",          G, "{}", "/contents"},
    {"Gemini: contents of nothing",  G, "{'contents':[{'parts':[]}]}", "/contents"},
    {"Gemini: unknown role",         G, "{'contents':[{'role':'boss','parts':[]}]}", "/contents/0"},
    {"Gemini: parts",                G, "{'contents':[{'parts':'x'}]}", "/contents/0"},
    {"Gemini: content of nothing",   G, "{'contents':{'role':'user'}}", "/contents/0"},
    {"Gemini: a part of text",       G, "{'contents':[{'parts':['x']}]}", "/contents/0"},
    {"Gemini: nameless function",    G, "{" G_MSG ",'tools':[{'functionDeclarations':[{}]}]}", "/tools/0/functionDeclarations/0"},
    {"Gemini: temperature is text",  G, "{" G_MSG ",'generationConfig':{'temperature':'hot'}}", "/generationConfig/temperature"},
    {"Gemini: no tokens",            G, "{" G_MSG ",'generationConfig':{'maxOutputTokens':0}}", "/generationConfig/maxOutputTokens"},
    {"Gemini: no object",            G, "[]", "an object is required"},
};
/* clang-format on */

static void is_refused(void **state)
{
    const struct bad *row                    = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json body           = parse(row->body);
    struct chat_request *request             = NULL;
    struct error error                       = {};
    status code                              = STATUS_OK;
    if (row->from == PROTOCOL_ANTHROPIC) {
        code = chat_from_anthropic(body, true, arena, &request, &error);
    } else {
        code = chat_from_gemini(body, str_from("r"), false, arena, &request, &error);
    }
    assert_int_equal(code, STATUS_INVALID_ARGUMENT);
    if (!strstr(error.text, row->expected)) fail_msg("%s", error.text);
}

static void one_content_without_a_list_goes_on(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json body           = parse("{'contents':{'parts':{'text':'hi'}}}");
    const struct row row                     = {.from = G};
    struct chat_request *request             = NULL;
    read_request(&row, body, arena, &request);
    assert_int_equal(repair_go_on(request, str_from("a"), str_from("b"), NULL), STATUS_OK);
    assert_int_equal(request->message_count, 3);
    json contents = json_get_text(request->source, "contents");
    assert_int_equal(json_count(contents), 3);
    json first = json_get_text(json_get_text(json_at(contents, 0), "parts"), "text");
    assert_true(str_is(json_str(first), "hi"));
    chat_request_done(request);
}

/* --- versions and signatures -------------------------------------------------------------------
 */

static str version_of(const char *body, enum llm_protocol from, const char *configured,
                      const char *asked)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json value          = parse(body);
    const struct provider provider           = {.version = configured};
    const struct row row                     = {.from = from};
    struct chat_request *request             = NULL;
    read_request(&row, value, arena, &request);
    request->version = str_from(asked);
    str version      = anthropic_version(&provider, request);
    bool is_old      = str_is(version, ANTHROPIC_VERSION_OLD);
    bool is_new      = str_is(version, ANTHROPIC_VERSION_NEW);
    return str_from(is_old ? "old" : is_new ? "new" : "other");
}

static void versions_follow_what_is_carried(void **)
{
    assert_true(str_is(version_of("{" O_MSG "}", O, NULL, ""), "new"));
    assert_true(str_is(version_of("{" O_MSG ",'temperature':1}", O, NULL, ""), "old"));
    assert_true(
        str_is(version_of("{" G_MSG ",'generationConfig':{'topK':1}}", G, NULL, ""), "old"));
    assert_true(str_is(version_of("{" A_MSG "}", A, NULL, ""), "old"));
    assert_true(str_is(version_of("{" A_MSG ",'top_p':1}", A, NULL, "2026-10-21"), "new"));
    assert_true(str_is(version_of("{" A_MSG "}", A, "2023-06-01", "2026-10-21"), "old"));
    assert_true(str_is(version_of("{" A_MSG "}", A, NULL, "2027-01-01"), "other"));
}

static void a_fixed_version_drops_what_it_refuses(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json body = parse("{" O_MSG LIMIT ",'temperature':1,'top_p':1,'top_k':1}");
    CLEANUP(buf_done) struct buf text  = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf paths = buf_init(TEXT_MAX);
    struct losses losses               = {.arena = arena};
    struct chat_request *request       = NULL;
    assert_int_equal(chat_from_openai(body, arena, &request, NULL), STATUS_OK);
    assert_true(
        anthropic_print(request, str_from("m"), str_from(ANTHROPIC_VERSION_NEW), &losses, &text));
    losses_print_paths(&losses, 1024, &paths);
    assert_string_equal(paths.ptr, "/temperature, /top_p, /top_k");
    assert_null(strstr(text.ptr, "top_p"));
}

static void gemini_3_is_told_that_a_signature_is_gone(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp)
    json body = parse("{'model':'r','messages':[{'role':'assistant','content':null,'tool_calls':["
                      "{'id':'1','type':'function','function':{'name':'f','arguments':'{}'}},"
                      "{'id':'2','type':'function','function':{'name':'f','arguments':'{}'}}]}]}");
    CLEANUP(buf_done) struct buf text  = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf paths = buf_init(TEXT_MAX);
    struct losses losses               = {.arena = arena};
    struct chat_request *request       = NULL;
    assert_int_equal(chat_from_openai(body, arena, &request, NULL), STATUS_OK);
    assert_true(gemini_print(request, str_from("gemini-3-pro"), &losses, &text));
    losses_print_paths(&losses, 1024, &paths);
    assert_string_equal(paths.ptr, "/messages/0/tool_calls/0");
    assert_non_null(strstr(text.ptr, "thoughtSignature"));
}

static void many_losses_are_counted(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(buf_done) struct buf paths       = buf_init(TEXT_MAX);
    struct losses losses                     = {.arena = arena};
    for (int i = 0; i < LOSSES_MAX + 5; i++) {
        losses_add_at(&losses, LOSS_DROPPED, "why", "/place/%d", i);
    }
    losses_print_paths(&losses, 40, &paths);
    assert_string_equal(paths.ptr, "/place/0, /place/1, +67");
    losses_add(NULL, LOSS_DROPPED, "/x", "nobody listens");
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + ARRAY_LEN(bad) + 5];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[count++] = row_test(rows[i].name, is_translated, &rows[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        tests[count++] = row_test(bad[i].name, is_refused, &bad[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(one_content_without_a_list_goes_on);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(versions_follow_what_is_carried);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_fixed_version_drops_what_it_refuses);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(gemini_3_is_told_that_a_signature_is_gone);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(many_losses_are_counted);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
