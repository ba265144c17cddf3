/* Operations of descriptions as requests: places, styles, bodies, servers, and what is refused. */
#include "adapter/openapi_request.h"

#include "base/attr.h"
#include "support/cmocka.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20 };

#define DOCUMENT_URL "https://docs.test/v1/openapi.json"

/* clang-format off */
static const char openapi[] =
"{'openapi':'3.1.0','servers':[{'url':'/{base}/v3/','variables':{'base':{'default':'api'}}}],"
"'components':{'securitySchemes':{'k':{'type':'apiKey','in':'header','name':'X-Key'}},"
" 'parameters':{'petId':{'name':'petId','in':'path','required':true}},"
" 'schemas':{'Pet':{'type':'object','properties':{'name':{},'tags':{}}}}},"
"'paths':{"
"'/pets/{petId}':{'parameters':[{'$ref':'#/components/parameters/petId'},{'name':'trace','in':'header'}],"
" 'get':{'operationId':'getPet','parameters':["
"  {'name':'a','in':'query'},{'name':'b','in':'query','explode':false},"
"  {'name':'s','in':'query','style':'spaceDelimited'},{'name':'p','in':'query','style':'pipeDelimited'},"
"  {'name':'d','in':'query','style':'deepObject'},{'name':'j','in':'query','content':{'application/json':{}}},"
"  {'name':'r','in':'query','allowReserved':true},{'name':'c','in':'cookie'},{'name':'h','in':'header'}]},"
" 'put':{'operationId':'putPet','servers':[{'url':'http://other.test:8080'}],'requestBody':{'required':true,'content':"
"  {'application/x-www-form-urlencoded':{},'application/json':{'schema':{'$ref':'#/components/schemas/Pet'}}}}},"
" 'delete':{'operationId':'needs','parameters':[{'name':'q','in':'query','required':true}]}},"
"'/l/{x}/{y}/{z}':{'get':{'operationId':'styles','parameters':[{'name':'x','in':'path','style':'label','explode':true},"
"  {'name':'y','in':'path','style':'matrix','explode':true},{'name':'z','in':'path'}]}},"
"'/text':{'post':{'operationId':'text','requestBody':{'content':{'text/csv':{}}}}},"
"'/form':{'post':{'operationId':'form','requestBody':{'content':{'application/x-www-form-urlencoded':{}}}}},"
"'/any':{'post':{'operationId':'any','requestBody':{'content':{'*/*':{}}}}},"
"'/own':{'post':{'operationId':'own','requestBody':{'content':{'application/json':{'schema':{'properties':{'body':{},'to':{}}}}}}}},"
"'/file':{'post':{'operationId':'file','requestBody':{'content':{'multipart/form-data':{}}}}},"
"'/far':{'get':{'operationId':'far','parameters':[{'$ref':'other.json#/p'},{'$ref':'#/paths/~1far/get/parameters/1'},7]}}}}";

static const char swagger[] =
"{'swagger':'2.0','host':'shop.test','basePath':'/v2','schemes':['http','https'],'consumes':['application/json','application/xml'],"
"'securityDefinitions':{'k':{'type':'apiKey','in':'query','name':'api_key'}},"
"'paths':{'/pet/findByStatus':{'get':{'operationId':'find','parameters':["
"  {'name':'status','in':'query','type':'array','collectionFormat':'multi'},{'name':'tags','in':'query','type':'array'},"
"  {'name':'pipes','in':'query','collectionFormat':'pipes'},{'name':'h','in':'header','collectionFormat':'ssv'}]}},"
"'/pet':{'post':{'operationId':'add','parameters':[{'name':'pet','in':'body','required':true}]}},"
"'/pet/{id}':{'post':{'operationId':'fields','consumes':['application/x-www-form-urlencoded'],'parameters':["
"  {'name':'id','in':'path','type':'integer','required':true},{'name':'name','in':'formData','required':true},{'name':'age','in':'formData'}]}}}}";

struct row {
    const char *name, *document, *operation, *parameters;
    const char *expected; /* "get URL", then headers but Accept and the body, as JSON; or an error that begins with "!" */
};

static const struct row rows[] = {
    {"a path",            openapi, "getPet", "{'petId':7}", "get https://docs.test/api/v3/pets/7 {} -"},
    {"nothing of null",   openapi, "getPet", "{'petId':7,'a':null}", "get https://docs.test/api/v3/pets/7 {} -"},
    {"is encoded",        openapi, "getPet", "{'petId':'a/b?c'}", "get https://docs.test/api/v3/pets/a%2Fb%3Fc {} -"},
    {"form exploded",     openapi, "getPet", "{'petId':7,'a':[1,'x&y']}", "get https://docs.test/api/v3/pets/7?a=1&a=x%26y {} -"},
    {"form of a map",     openapi, "getPet", "{'petId':7,'a':{'m':1,'n':true}}", "get https://docs.test/api/v3/pets/7?m=1&n=true {} -"},
    {"form in one",       openapi, "getPet", "{'petId':7,'b':[1,2]}", "get https://docs.test/api/v3/pets/7?b=1,2 {} -"},
    {"form of a map in one", openapi, "getPet", "{'petId':7,'b':{'m':1}}", "get https://docs.test/api/v3/pets/7?b=m,1 {} -"},
    {"delimited",         openapi, "getPet", "{'petId':7,'s':[1,2],'p':[3,4]}", "get https://docs.test/api/v3/pets/7?s=1%202&p=3%7C4 {} -"},
    {"deep",              openapi, "getPet", "{'petId':7,'d':{'m':1,'n':[2,3]}}", "get https://docs.test/api/v3/pets/7?d%5Bm%5D=1&d%5Bn%5D=2&d%5Bn%5D=3 {} -"},
    {"as JSON",           openapi, "getPet", "{'petId':7,'j':{'m':[1]}}", "get https://docs.test/api/v3/pets/7?j=%7B%22m%22%3A%5B1%5D%7D {} -"},
    {"reserved",          openapi, "getPet", "{'petId':7,'r':'a/b&c#d'}", "get https://docs.test/api/v3/pets/7?r=a/b%26c%23d {} -"},
    {"empty list",        openapi, "getPet", "{'petId':7,'a':[],'b':[]}", "get https://docs.test/api/v3/pets/7 {} -"},
    {"header and cookie", openapi, "getPet", "{'petId':7,'h':[1,2],'trace':'t','c':'x;y'}", "get https://docs.test/api/v3/pets/7 {'h':'1,2','trace':'t','Cookie':'c=x%3By'} -"},
    {"a key",             openapi, "getPet", "{'petId':7,'X-Key':'k'}", "get https://docs.test/api/v3/pets/7 {'X-Key':'k'} -"},
    {"styles of paths",   openapi, "styles", "{'x':[1,2],'y':{'m':1,'n':2},'z':[3,4]}", "get https://docs.test/api/v3/l/.1.2/;m=1;n=2/3,4 {} -"},
    {"members",           openapi, "putPet", "{'petId':7,'name':'x','tags':[1]}", "put http://other.test:8080/pets/7 {'Content-Type':'application/json'} {'name':'x','tags':[1]}"},
    {"the whole",         openapi, "putPet", "{'petId':7,'body':{'name':'x'}}", "put http://other.test:8080/pets/7 {'Content-Type':'application/json'} {'name':'x'}"},
    {"a text as JSON",    openapi, "any", "{'body':'x'}", "post https://docs.test/api/v3/any {'Content-Type':'application/json'} '\\'x\\''"},
    {"a text",            openapi, "text", "{'body':'a,b'}", "post https://docs.test/api/v3/text {'Content-Type':'text/csv'} 'a,b'"},
    {"a form",            openapi, "form", "{'a':1}", "post https://docs.test/api/v3/form {'Content-Type':'application/x-www-form-urlencoded'} {'a':1}"},
    {"a form of files",   openapi, "file", "{'a':{'base64':'eA=='}}", "post https://docs.test/api/v3/file {'Content-Type':'multipart/form-data'} {'a':{'base64':'eA=='}}"},
    {"no body",           openapi, "any", "{}", "post https://docs.test/api/v3/any {} -"},
    {"a member body",     openapi, "own", "{'to':'x','body':'hi'}", "post https://docs.test/api/v3/own {'Content-Type':'application/json'} {'to':'x','body':'hi'}"},
    {"what is no parameter", openapi, "far", "{}", "get https://docs.test/api/v3/far {} -"},
    {"swagger",           swagger, "find", "{'status':['a','b'],'tags':['c','d'],'pipes':[1,2],'h':[1,2]}",
     "get https://shop.test/v2/pet/findByStatus?status=a&status=b&tags=c,d&pipes=1%7C2 {'h':'1 2'} -"},
    {"swagger's key",     swagger, "find", "{'api_key':'k'}", "get https://shop.test/v2/pet/findByStatus?api_key=k {} -"},
    {"swagger's body",    swagger, "add", "{'pet':{'name':'x'}}", "post https://shop.test/v2/pet {'Content-Type':'application/json'} {'name':'x'}"},
    {"its members",       swagger, "add", "{'name':'x'}", "post https://shop.test/v2/pet {'Content-Type':'application/json'} {'name':'x'}"},
    {"swagger's form",    swagger, "fields", "{'id':7,'name':'x'}", "post https://shop.test/v2/pet/7 {'Content-Type':'application/x-www-form-urlencoded'} {'name':'x'}"},

    {"no operation",      openapi, "getPets", "{}", "!/operationId: the description has no operation `getPets`"},
    {"no path parameter", openapi, "getPet", "{}", "!/parameters/petId: is missing: a path parameter that `getPet` requires"},
    {"no query",          openapi, "needs", "{'petId':1}", "!/parameters/q: is missing: a query parameter that `needs` requires"},
    {"unknown",           openapi, "getPet", "{'petId':1,'petID':2}", "!/parameters/petID: `getPet` has no such parameter"},
    {"unknown member",    openapi, "putPet", "{'petId':7,'nam':'x'}", "!/parameters/nam: `putPet` has no such parameter"},
    {"body and members",  openapi, "any", "{'body':{},'x':1}", "!/parameters/x: `any` has no such parameter"},
    {"no body",           openapi, "putPet", "{'petId':7}", "!/parameters/body: is missing: a body parameter that `putPet` requires"},
    {"an empty segment",  openapi, "getPet", "{'petId':''}", "!/parameters/petId: the value would change which path is called"},
    {"a parent",          openapi, "getPet", "{'petId':'..'}", "!/parameters/petId: the value would change which path is called"},
    {"a map for text",    openapi, "text", "{'body':{}}", "!/parameters/body: a text, of the type text/csv"},
    {"a list for a form", openapi, "form", "{'body':[1]}", "!/parameters/body: a map, or a text"},
    {"a text for files",  openapi, "file", "{'body':'x'}", "!/parameters/body: a map"},
    {"no form field",     swagger, "fields", "{'id':7}", "!/parameters/name: is missing: a form parameter that `fields` requires"},
    {"no map",            openapi, "any", "[1]", "!/parameters: a map of at most 1000 members"},
    {"no description",    "{'info':{}}", "any", "{}", "!/document: neither OpenAPI 3.x nor Swagger 2.0: it does not begin with `openapi: 3.…` or `swagger: \"2.0\"`"},
    {"another scheme",    "{'openapi':'3.0.0','servers':[{'url':'ftp://x'}],'paths':{'/a':{'get':{'operationId':'a'}}}}", "a", "{}",
     "!/document: the server that the description names has no http or https URL"},
    {"no server",         "{'openapi':'3.0.0','paths':{'/a':{'get':{'operationId':'a'}}}}", "a", "{}", "get https://docs.test/a {} -"},
    {"no host",           "{'swagger':'2.0','basePath':'/b','paths':{'/a':{'get':{'operationId':'a'}}}}", "a", "{}", "get https://docs.test:443/b/a {} -"},
};
/* clang-format on */

/* Single quotes read better here. */
static json parse(const char *text)
{
    char *copy = strdup(text);
    json value = json_invalid();
    assert_non_null(copy);
    for (char *at = copy; *at; at++) {
        if (*at == '\'') *at = '"';
    }
    assert_int_equal(json_parse(str_from(copy), NULL, &value, NULL, NULL), STATUS_OK);
    free(copy);
    return value;
}

static void put_single_quoted(json value, struct buf *out)
{
    size_t start = out->len;
    if (json_is(value, JSON_INVALID)) {
        (void)buf_put_byte(out, '-');
        return;
    }
    (void)json_print(value, JSON_COMPACT, out);
    for (size_t i = start; i < out->len; i++) {
        if (out->ptr[i] == '"') out->ptr[i] = '\'';
    }
}

static void renders(void **state)
{
    const struct row *row              = *state;
    CLEANUP(buf_done) struct buf said  = buf_init(TEXT_MAX);
    CLEANUP(json_unrefp) json document = parse(row->document);
    CLEANUP(json_unrefp) json given    = parse(row->parameters);
    CLEANUP(json_unrefp) json request  = json_invalid();
    CLEANUP(json_unrefp) json headers  = json_invalid();
    struct error error                 = {};
    const struct openapi_call call     = {.description  = document,
                                          .document_url = str_from(DOCUMENT_URL),
                                          .operation_id = str_from(row->operation),
                                          .parameters   = given};
    if (openapi_request_new(&call, &request, &error) == STATUS_OK) {
        headers = json_ref(json_get_text(request, "headers"));
        assert_true(json_object_remove(&headers, str_from("Accept")));
        (void)buf_put_str(&said, json_str(json_get_text(request, "method")));
        (void)buf_put_byte(&said, ' ');
        (void)buf_put_str(&said, json_str(json_get_text(request, "endpoint")));
        (void)buf_put_byte(&said, ' ');
        put_single_quoted(headers, &said);
        (void)buf_put_byte(&said, ' ');
        put_single_quoted(json_get_text(request, "body"), &said);
    } else {
        (void)buf_printf(&said, "!%s", error.text);
    }
    (void)buf_put_byte(&said, '\0');
    assert_string_equal(said.ptr, row->expected);
}

/* What is missed is said one by one, and with all of it there the request is made. */
static void other_documents_are_followed(void **)
{
    static const char root[] = "{'openapi':'3.0.3','servers':[{'url':'https://a.test'}],'paths':{"
                               "'/x/{id}':{'$ref':'paths/x.yaml#/item'}}}";
    static const char *const files[][2] = {
        {"https://docs.test/v1/paths/x.yaml",
         "{'item':{'get':{'operationId':'x','parameters':[{'$ref':'#/own'},"
         "{'$ref':'../common.json#/p~1q/0'},{'$ref':'../openapi.json#/nothing'}]}},"
         "'own':{'name':'id','in':'path'}}"},
        {"https://docs.test/v1/common.json",
         "{'p/q':[{'$ref':'//else.test/q.json'}],'loop':{'$ref':'#/loop'}}"},
        {"https://else.test/q.json", "{'name':'q','in':'query'}"},
    };
    CLEANUP(json_unrefp) json document          = parse(root);
    CLEANUP(json_unrefp) json given             = parse("{'id':'7','q':1}");
    CLEANUP(json_unrefp) json request           = json_invalid();
    struct openapi_part parts[ARRAY_LEN(files)] = {};
    size_t values                               = 0;
    for (size_t count = 0; count <= ARRAY_LEN(files); count++) {
        CLEANUP(buf_done) struct buf wanted = buf_init(TEXT_MAX);
        const struct openapi_call call      = {.description  = document,
                                               .document_url = str_from(DOCUMENT_URL),
                                               .operation_id = str_from("x"),
                                               .parameters   = given,
                                               .parts        = parts,
                                               .part_count   = count,
                                               .wanted       = &wanted};
        status code                         = openapi_request_new(&call, &request, NULL);
        if (count == ARRAY_LEN(files)) {
            assert_int_equal(code, STATUS_OK);
            assert_int_equal(wanted.len, 0);
            break;
        }
        assert_int_not_equal(code, STATUS_OK);
        assert_string_equal(wanted.ptr, files[count][0]);
        CLEANUP(json_unrefp) json part = parse(files[count][1]);
        parts[count].url               = str_from(files[count][0]);
        parts[count].root              = openapi_part_new(part, parts[count].url, &values);
    }
    assert_string_equal(json_str(json_get_text(request, "endpoint")).ptr, "https://a.test/x/7?q=1");
    assert_true(values > 10);
    const struct openapi_library library = {
        .root = document, .url = str_from(DOCUMENT_URL), .parts = parts, .part_count = 3};
    assert_true(json_is(openapi_follow_member(&library, parts[1].root, "loop"), JSON_INVALID));
    for (size_t i = 0; i < ARRAY_LEN(files); i++) json_unref(parts[i].root);
}

/* Of 40 documents the one is wanted whose name is like the operation's; then the first of the
 * others. */
static void documents_are_looked_through_by_their_names(void **)
{
    static const struct {
        const char *operation, *wanted;
    } names[] = {
        {"listPets", "https://docs.test/v1/p7.json"},        /* the path is /pets */
        {"get_price", "https://docs.test/v1/prices.json"},   /* the document */
        {"priceOfPets", "https://docs.test/v1/prices.json"}, /* more of it */
        {"x", "https://docs.test/v1/p0.json"},
    };
    CLEANUP(json_unrefp)
    json document = parse("{'openapi':'3.0.3','servers':[{'url':'https://a.test'}]}");
    json paths    = json_object_new(40);
    for (int i = 0; i < 40; i++) {
        char path[32];
        char reference[32];
        json item = json_object_new(1);
        (void)snprintf(path, sizeof path, "/q%d", i);
        (void)snprintf(reference, sizeof reference, "p%d.json", i);
        json_object_put_text(&item, "$ref", json_text_from(i == 30 ? "prices.json" : reference));
        json_object_put_text(&paths, i == 7 ? "/pets" : path, item);
    }
    json_object_put_text(&document, "paths", paths);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(buf_done) struct buf wanted = buf_init(TEXT_MAX);
        CLEANUP(json_unrefp) json request   = json_invalid();
        bool is_search                      = false;
        const struct openapi_call call      = {.description  = document,
                                               .document_url = str_from(DOCUMENT_URL),
                                               .operation_id = str_from(names[i].operation),
                                               .wanted       = &wanted,
                                               .is_search    = &is_search};
        assert_int_equal(openapi_request_new(&call, &request, NULL), STATUS_NOT_FOUND);
        assert_string_equal(wanted.ptr, names[i].wanted);
        assert_true(is_search);
    }
}

/* A description of nothing but references is a stranger's, and the loop is not its own. */
static void references_without_end_are_refused(void **)
{
    enum { PATHS = OPENAPI_FOLLOWED_MAX / OPENAPI_REFS_MAX + 1 };
    for (int more = 0; more <= 1; more++) {
        CLEANUP(json_unrefp) json document = parse("{'openapi':'3.0.3','loop':{'$ref':'#/loop'}}");
        CLEANUP(json_unrefp) json request  = json_invalid();
        struct error error                 = {};
        json paths                         = json_object_new(PATHS);
        for (int i = 0; i < PATHS - 1 + more; i++) {
            char path[16];
            json item = json_object_new(1);
            (void)snprintf(path, sizeof path, "/%d", i);
            json_object_put_text(&item, "$ref", json_text_from("#/loop"));
            json_object_put_text(&paths, path, item);
        }
        json_object_put_text(&document, "paths", paths);
        const struct openapi_call call = {.description  = document,
                                          .document_url = str_from(DOCUMENT_URL),
                                          .operation_id = str_from("x")};
        status code                    = openapi_request_new(&call, &request, &error);
        assert_int_equal(code, more ? STATUS_RESOURCE_EXHAUSTED : STATUS_NOT_FOUND);
        assert_int_equal(strstr(error.text, "50000 references") != NULL, more);
    }
}

/* Addresses that are none, and what is no web page, are not wanted by anybody. */
static void what_cannot_be_fetched_is_not_wanted(void **)
{
    static const char *const references[] = {"file:///etc/passwd#/a", "mailto:a@b", "http://",
                                             "https://user:word@a.test/x#/y", ""};
    for (size_t i = 0; i < ARRAY_LEN(references); i++) {
        CLEANUP(buf_done) struct buf wanted = buf_init(TEXT_MAX);
        CLEANUP(json_unrefp) json root      = parse("{}");
        CLEANUP(json_unrefp) json node      = json_object_new(1);
        json_object_put_text(&node, "$ref", json_text_from(references[i]));
        const struct openapi_library library = {
            .root = root, .url = str_from(DOCUMENT_URL), .wanted = &wanted};
        json found = openapi_follow(&library, node);
        if (*references[i]) assert_true(json_is(found, JSON_INVALID));
        if (strncmp(references[i], "https", 5) != 0) assert_int_equal(wanted.len, 0);
    }
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 4] = {
        [ARRAY_LEN(rows) + 3] = cmocka_unit_test(documents_are_looked_through_by_their_names),
        [ARRAY_LEN(rows) + 2] = cmocka_unit_test(references_without_end_are_refused),
        [ARRAY_LEN(rows)]     = cmocka_unit_test(other_documents_are_followed),
        [ARRAY_LEN(rows) + 1] = cmocka_unit_test(what_cannot_be_fetched_is_not_wanted)};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = (struct CMUnitTest){.name          = rows[i].name,
                                       .test_func     = renders,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
