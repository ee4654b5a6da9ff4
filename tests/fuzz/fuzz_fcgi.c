#define _GNU_SOURCE
/* What the application decodes of a request: paths, forms, JSON, names. */
#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/fields.h"
#include "fcgi-app/http/access.h"
#include "fcgi-app/http/fastcgi.h"
#include "fcgi-app/http/http.h"
#include "fcgi-app/http/json.h"
#include "tests/fuzz/fuzz.h"

const struct fuzz_seed fuzz_seeds[] = {
	FUZZ_SEED("/api/v1/execute"),
	FUZZ_SEED("/api/load/a%20b%2Fc.py?x=1&name=%E2%82%AC+x&&=&y"),
	FUZZ_SEED("/execute/00000000-0000-4000-8000-000000000000"),
	FUZZ_SEED("/a//b/../c/./%2e%2e/%00/"),
	FUZZ_SEED("{\"code\":\"print(1)\",\"timeout\":5,\"stdin\":null}"),
	FUZZ_SEED("{\"a\":[1,-0.5e+3,true,false,null,{\"b\":\"\\u00e9\\ud83d\\ude00\\n\"}]}"),
	FUZZ_SEED("[[[[\"\\\\\"]]]] "),
	FUZZ_SEED("\"h\xc3\xa9llo \xf0\x9f\x92\xa9\""),
	FUZZ_SEED("127.0.0.1"),
	FUZZ_SEED("[::1]:5000"),
	FUZZ_SEED("https://a.example.org:8443"),
	/* heads of FastCGI requests */
	FUZZ_SEED("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0\1\4\0\1\0\5\0\0\1\2Abc\1\4\0\1\0\0\0\0"),
	FUZZ_SEED("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\4\0\1\0\10\2\0\1\200\0\0\2Abcpp"
		  "\1\4\0\1\0\4\0\0\2\0CD\1\4\0\1\0\0\0\0"),
};
const size_t fuzz_seed_count = sizeof fuzz_seeds / sizeof *fuzz_seeds;

/* The walk over what has been checked stays inside, and sees what json-c sees. */
static void check_walk(struct text value, struct json_object *built)
{
	struct json_walk walk;
	struct text key, part;
	size_t count = 0;

	if (!json_walk_open(value, &walk)) {
		FUZZ_HOLDS(!json_object_is_type(built, json_type_object) &&
			   !json_object_is_type(built, json_type_array));
		return;
	}
	while (json_walk_next(&walk, &key, &part)) {
		FUZZ_HOLDS(part.length > 0 && part.data > value.data &&
			   part.data + part.length < value.data + value.length);
		FUZZ_HOLDS((key.data == NULL) == (bool)json_object_is_type(built, json_type_array));
		if (!key.data)
			check_walk(part, json_object_array_get_idx(built, count));
		count++;
	}
	if (json_object_is_type(built, json_type_array))
		FUZZ_HOLDS(count == json_object_array_length(built));
	else
		FUZZ_HOLDS(count >= (size_t)json_object_object_length(built));
	if (json_object_is_type(built, json_type_object)) {
		json_object_object_foreach(built, name, member)
		{
			/* json-c ends a name at \\u0000, we look for names in ASCII */
			if (memmem(value.data, value.length, "\\u", 2))
				continue;
			FUZZ_HOLDS(json_member(value, name, &part));
			check_walk(part, member);
		}
	}
}

/* A head in one piece or not, the checks say the same; what passes has no pair outside. */
static void check_head(const uint8_t *bytes, size_t length)
{
	struct fastcgi fastcgi;
	size_t all = 0;

	fastcgi_init(&fastcgi, -1);
	fastcgi.input_end = length < sizeof fastcgi.input ? length : sizeof fastcgi.input;
	memcpy(fastcgi.input, bytes, fastcgi.input_end);
	if (fastcgi_take_head(&fastcgi) == 1) {
		for (char **each = fastcgi.environment; *each; each++) {
			FUZZ_HOLDS(strchr(*each, '=') > *each);
			all += strlen(*each) + 1;
		}
		FUZZ_HOLDS(all <= fastcgi.input_end);
	}
	FUZZ_HOLDS(fastcgi.input_at <= fastcgi.input_end);
	fastcgi_free(&fastcgi);
}

/* What the check lets through, json-c must read, whole. */
static void check_json(const char *text, size_t length)
{
	size_t offset = 0;
	const char *wrong = json_check(text, length, &offset);

	if (wrong) {
		FUZZ_HOLDS(*wrong && offset <= length);
		return;
	}
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* With the NUL: else a number at the very end is not known to be complete. */
	struct json_object *value = json_tokener_parse_ex(tokener, text, (int)length + 1);
	FUZZ_HOLDS(json_tokener_get_error(tokener) == json_tokener_success);
	check_walk((struct text){ text, length }, value);
	json_object_put(value);
	json_tokener_free(tokener);
}

static void check_pieces(const struct target *target)
{
	for (size_t i = 0; i < target->count; i++) {
		struct text piece = target->pieces[i];

		FUZZ_HOLDS(piece.length > 0 || i == target->count - 1);
		FUZZ_HOLDS(strlen(piece.data) == piece.length);
		FUZZ_HOLDS(!text_equals(piece, ".") && !text_equals(piece, ".."));
		FUZZ_HOLDS(utf8_valid(piece.data, piece.length));
	}
}

static void check_target(const char *uri)
{
	struct target target;
	int failed = target_parse(uri, &target);

	if (!failed) {
		check_pieces(&target);
		FUZZ_HOLDS(!*target.query ||
			   (target.query > uri && target.query < uri + strlen(uri)));
		target_free(&target);
	}
	failed = target_parse_decoded(uri, "", &target);
	if (!failed) {
		check_pieces(&target);
		target_free(&target);
	}
}

static void check_form(struct text list)
{
	static const char *const names[] = { "name", "x", "", "code" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct text value;
		char *storage = NULL;
		int found = form_find(list, names[i], &value, &storage);

		FUZZ_HOLDS(found == 1 || found == 0 || found == -EINVAL);
		if (found == 1)
			FUZZ_HOLDS(value.length <= list.length && !value.data[value.length]);
		free(storage);
	}
}

static void check_text(struct text text)
{
	bool all_valid = true, valid;

	for (size_t at = 0; at < text.length;) {
		size_t step =
			text_utf8_step((const uint8_t *)text.data + at, text.length - at, &valid);

		FUZZ_HOLDS(step >= 1 && step <= text.length - at);
		all_valid = all_valid && valid;
		at += step;
	}
	FUZZ_HOLDS(all_valid == utf8_valid(text.data, text.length));
	FUZZ_HOLDS(text_without_half_character(text).length <= text.length);
	if (id_valid(text))
		FUZZ_HOLDS(text.length && text.length <= ID_LENGTH_MAX && text.data[0] != '.');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text text = { (const char *)data, size };
	char *string = malloc(size + 1);

	FUZZ_HOLDS(string);
	memcpy(string, data, size);
	string[size] = '\0';

	check_head(data, size);
	check_json(string, size);
	check_target(string);
	check_form(text);
	check_text(text);
	(void)access_host_allowed("localhost .example.org", string);
	(void)access_origin_listed("https://a.example.org, http://b", string);
	(void)access_origin_is_host(string, "localhost:5000");
	(void)access_address_is_private(string);
	(void)access_address_is_loopback(string);
	free(string);
	return 0;
}
