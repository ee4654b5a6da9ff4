/* The executor seen from the application: answers, breakage, cancelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fields.h"
#include "common/message.h"
#include "fcgi-app/execution/execution.h"

/* An executor that follows a script: for every connection it takes one request
 * after another, and does what `play` says. */
struct stage {
	char directory[32], path[64];
	int listen_fd;
	pthread_t thread;
	void (*play)(int fd, const struct frame_header *request, const uint8_t *payload);
	size_t connections;
};

static int read_all(int fd, void *bytes, size_t length)
{
	for (uint8_t *at = bytes; length;) {
		ssize_t got = read(fd, at, length);

		if (got <= 0)
			return -1;
		at += got;
		length -= (size_t)got;
	}
	return 0;
}

static void serve_connection(struct stage *stage, int fd)
{
	uint8_t head[FRAME_HEADER_BYTES];
	struct frame_header header;

	while (!read_all(fd, head, sizeof head) &&
	       !frame_decode_header(head, FRAME_REQUEST_MAX, &header)) {
		uint8_t *payload = malloc(header.length + 1);

		if (!payload || read_all(fd, payload, header.length)) {
			free(payload);
			break;
		}
		stage->play(fd, &header, payload);
		free(payload);
	}
}

static void *perform(void *argument)
{
	struct stage *stage = argument;
	int fd;

	while ((fd = accept(stage->listen_fd, NULL, NULL)) >= 0) {
		stage->connections++;
		serve_connection(stage, fd);
		close(fd);
	}
	return NULL;
}

static void stage_open(struct stage *stage,
		       void (*play)(int, const struct frame_header *, const uint8_t *))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*stage = (struct stage){ .directory = "/tmp/fcgi-test-XXXXXX", .play = play };
	assert_non_null(mkdtemp(stage->directory));
	snprintf(stage->path, sizeof stage->path, "%s/s", stage->directory);
	strcpy(address.sun_path, stage->path);
	stage->listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(stage->listen_fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(stage->listen_fd, 4), 0);
	assert_int_equal(pthread_create(&stage->thread, NULL, perform, stage), 0);
}

static void stage_close(struct stage *stage)
{
	shutdown(stage->listen_fd, SHUT_RDWR);
	pthread_join(stage->thread, NULL);
	close(stage->listen_fd);
	unlink(stage->path);
	rmdir(stage->directory);
}

static void say(int fd, uint8_t type, uint32_t number, const void *payload, size_t length)
{
	AUTO_BUFFER out = BUFFER_INIT(0);

	assert_int_equal(frame_append(&out, type, number, payload, length), 0);
	frame_write_all(fd, out.data, out.length);
}

static void say_outcome(int fd, uint32_t number)
{
	AUTO_BUFFER list = BUFFER_INIT(0);

	fields_put_number(&list, FIELD_STATUS, STATUS_SUCCESS);
	say(fd, FRAME_OUTCOME, number, list.data, list.length);
}

static int call(struct executor_client *client, struct executor_answer *answer, int hangup_fd,
		uint64_t most_ms)
{
	const struct exec_request request = {
		.call = FRAME_EXECUTE,
		.request_id = "id",
		.profile = "native",
		.code = TEXT("1+1"),
		.limits = { [0] = { .given = true, .value = 5000 } },
	};
	struct executor_wait wait = { hangup_fd, most_ms };

	return executor_client_call(client, &request, &wait, answer);
}

/* ---- files for a one-shot ------------------------------------------------- */

/* Hands over the stage's folder, and goes on when told. */
static void play_workspace(int fd, const struct frame_header *request, const uint8_t *payload)
{
	struct frame_header header = { .version = PROTOCOL_VERSION,
				       .type = FRAME_WORKSPACE,
				       .number = request->number };
	uint8_t head[FRAME_HEADER_BYTES];
	int folder = open("/tmp", O_RDONLY | O_DIRECTORY);

	assert_int_equal(fields_number(payload, request->length, FIELD_WANT_FILES, 0), 1);
	assert_int_equal(fields_number(payload, request->length, FIELD_PUT_BYTES, 0), 5000);
	frame_encode_header(&header, head);
	assert_int_equal(frame_send_with_fd(fd, head, sizeof head, folder), 0);
	close(folder);
	if (read_all(fd, head, sizeof head))
		return; /* given up */
	assert_int_equal(frame_decode_header(head, 0, &header), 0);
	assert_int_equal(header.type, FRAME_CONTINUE);
	assert_int_equal(header.number, request->number);
	say_outcome(fd, request->number);
}

static void play_workspace_without_folder(int fd, const struct frame_header *request,
					  const uint8_t *payload)
{
	(void)payload;
	say(fd, FRAME_WORKSPACE, request->number, NULL, 0);
}

/* A workspace for each of three sandboxes; then nothing but the frame. */
static void play_workspaces(int fd, const struct frame_header *request, const uint8_t *payload)
{
	struct frame_header header = { .version = PROTOCOL_VERSION,
				       .type = FRAME_WORKSPACE,
				       .number = request->number };
	uint8_t head[FRAME_HEADER_BYTES];
	struct field_view field;

	assert_int_equal(fields_check(payload, request->length), 0);
	assert_int_equal(fields_find(payload, request->length, FIELD_ENTRY_POINT, &field), 1);
	assert_memory_equal(field.value, "add", 3);
	assert_int_equal(fields_find(payload, request->length, FIELD_CASE, &field), 1);
	for (int i = 0; i < 3; i++) {
		int folder = open("/tmp", O_RDONLY | O_DIRECTORY);

		frame_encode_header(&header, head);
		assert_int_equal(frame_send_with_fd(fd, head, sizeof head, folder), 0);
		close(folder);
		assert_int_equal(read_all(fd, head, sizeof head), 0);
	}
	say(fd, FRAME_WORKSPACE, request->number, NULL, 0);
}

static int put_calls;

static int put(void *context, int workspace_fd)
{
	struct stat folder;

	put_calls++;
	assert_int_equal(fstat(workspace_fd, &folder), 0);
	assert_true(S_ISDIR(folder.st_mode));
	return *(int *)context;
}

static int call_with_files(void (*play)(int, const struct frame_header *, const uint8_t *),
			   int put_result, bool *ret_kept)
{
	struct exec_files files = { put, &put_result, 5000 };
	const struct exec_request request = { .call = FRAME_EXECUTE,
					      .code = TEXT("1"),
					      .files = &files };
	struct executor_wait wait = { -1, 2000 };
	struct executor_client *client;
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	struct stage stage;
	int failed;

	put_calls = 0;
	stage_open(&stage, play);
	assert_int_equal(executor_client_new(stage.path, &client), 0);
	failed = executor_client_call(client, &request, &wait, &answer);
	*ret_kept = answer.fd >= 0;
	executor_client_free(client);
	stage_close(&stage);
	return failed;
}

static void test_files_for_a_run(void **state)
{
	bool kept;

	(void)state;
	assert_int_equal(call_with_files(play_workspace, 0, &kept), 0);
	assert_int_equal(put_calls, 1);
	assert_true(kept);
	assert_int_equal(call_with_files(play_workspace, -ENOSPC, &kept), -ECONNABORTED);
	assert_false(kept);
	assert_int_equal(call_with_files(play_workspace_without_folder, 0, &kept), -EPROTO);
	assert_int_equal(put_calls, 0);
}

static size_t count_descriptors(void)
{
	size_t count = 0;
	DIR *folder = opendir("/proc/self/fd");

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* A frame without a descriptor must not make the last one's be used again. */
static void test_files_for_several_sandboxes(void **state)
{
	struct executor_wait wait = { -1, 2000 };
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	AUTO_BUFFER cases = BUFFER_INIT(0);
	int put_result = 0;
	struct exec_files files = { put, &put_result, 5000 };
	const struct exec_request request = { .call = FRAME_EVALUATE,
					      .code = TEXT("1"),
					      .entry_point = TEXT("add"),
					      .cases = &cases,
					      .files = &files };
	struct executor_client *client;
	struct stage stage;
	size_t before = count_descriptors();

	(void)state;
	put_calls = 0;
	assert_int_equal(fields_put_bytes(&cases, FIELD_CASE, NULL, 0), 0);
	stage_open(&stage, play_workspaces);
	assert_int_equal(executor_client_new(stage.path, &client), 0);
	assert_int_equal(executor_client_call(client, &request, &wait, &answer), -EPROTO);
	assert_int_equal(put_calls, 3);
	executor_client_free(client);
	stage_close(&stage);
	assert_int_equal(count_descriptors(), before);
}

/* ---- the plays ---------------------------------------------------------- */

static void play_well(int fd, const struct frame_header *request, const uint8_t *payload)
{
	struct field_view code;

	assert_int_equal(request->type, FRAME_EXECUTE);
	assert_int_equal(fields_check(payload, request->length), 0);
	assert_int_equal(fields_find(payload, request->length, FIELD_CODE, &code), 1);
	assert_memory_equal(code.value, "1+1", 3);
	assert_int_equal(fields_number(payload, request->length, FIELD_WALL_MS, 0), 5000);
	assert_int_equal(fields_find(payload, request->length, FIELD_STDIN, &code), 0);
	say(fd, FRAME_STDOUT, request->number, "a", 1);
	say(fd, FRAME_STDERR, request->number, "e", 1);
	say(fd, FRAME_STDOUT, request->number, "b", 1);
	say_outcome(fd, request->number);
}

static void play_death(int fd, const struct frame_header *request, const uint8_t *payload)
{
	(void)payload;
	say(fd, FRAME_STDOUT, request->number, "a", 1);
	shutdown(fd, SHUT_RDWR);
}

static void play_one_and_leave(int fd, const struct frame_header *request, const uint8_t *payload)
{
	(void)payload;
	say_outcome(fd, request->number);
	shutdown(fd, SHUT_RDWR);
}

static void play_silence(int fd, const struct frame_header *request, const uint8_t *payload)
{
	char byte;

	(void)request;
	(void)payload;
	assert_int_equal(read(fd, &byte, 1), 0); /* the client hangs up */
}

static void play_wrong_number(int fd, const struct frame_header *request, const uint8_t *payload)
{
	(void)payload;
	say_outcome(fd, request->number + 1);
}

static void play_wrong_type(int fd, const struct frame_header *request, const uint8_t *payload)
{
	(void)payload;
	say(fd, FRAME_EXECUTE, request->number, NULL, 0);
}

static void play_bad_list(int fd, const struct frame_header *request, const uint8_t *payload)
{
	(void)payload;
	say(fd, FRAME_OUTCOME, request->number, "garbage", 7);
}

static void play_too_long(int fd, const struct frame_header *request, const uint8_t *payload)
{
	struct frame_header header = { .length = FRAME_FINAL_MAX + 1,
				       .version = PROTOCOL_VERSION,
				       .type = FRAME_OUTCOME,
				       .number = request->number };
	uint8_t head[FRAME_HEADER_BYTES];

	(void)payload;
	frame_encode_header(&header, head);
	frame_write_all(fd, head, sizeof head);
}

static int refuse_twice(void (*play)(int, const struct frame_header *, const uint8_t *))
{
	struct executor_answer answer;
	struct executor_client *client;
	struct stage stage;
	int first, second;

	stage_open(&stage, play);
	assert_int_equal(executor_client_new(stage.path, &client), 0);
	first = call(client, &answer, -1, 2000);
	second = call(client, &answer, -1, 2000);
	executor_client_free(client);
	stage_close(&stage);
	assert_int_equal(first, second); /* on a new connection: nothing is left over */
	assert_int_equal(stage.connections, 2);
	return first;
}

/* ---- the tests ---------------------------------------------------------- */

static void test_answers_on_a_kept_connection(void **state)
{
	struct executor_client *client;
	struct stage stage;

	(void)state;
	stage_open(&stage, play_well);
	assert_int_equal(executor_client_new(stage.path, &client), 0);
	for (int i = 0; i < 3; i++) {
		AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

		assert_int_equal(call(client, &answer, -1, 2000), 0);
		assert_int_equal(answer.type, FRAME_OUTCOME);
		assert_int_equal(answer.out.length, 2);
		assert_memory_equal(answer.out.data, "ab", 2);
		assert_int_equal(answer.err.length, 1);
	}
	executor_client_free(client);
	stage_close(&stage);
	assert_int_equal(stage.connections, 1);
}

static void test_a_restarted_executor_is_found(void **state)
{
	struct executor_client *client;
	struct stage stage;

	(void)state;
	stage_open(&stage, play_one_and_leave);
	assert_int_equal(executor_client_new(stage.path, &client), 0);
	for (int i = 0; i < 3; i++) {
		AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;

		assert_int_equal(call(client, &answer, -1, 2000), 0);
		usleep(20000);
	}
	executor_client_free(client);
	stage_close(&stage);
	assert_int_equal(stage.connections, 3);
}

static void test_breakage(void **state)
{
	(void)state;
	assert_int_equal(refuse_twice(play_death), -ECONNRESET);
	assert_int_equal(refuse_twice(play_wrong_number), -EPROTO);
	assert_int_equal(refuse_twice(play_wrong_type), -EPROTO);
	assert_int_equal(refuse_twice(play_bad_list), -EBADMSG);
	assert_int_equal(refuse_twice(play_too_long), -EMSGSIZE);
}

static void test_nobody_there(void **state)
{
	struct executor_answer answer;
	struct executor_client *client;

	(void)state;
	assert_int_equal(executor_client_new("unix:/nonexistent/s", &client), 0);
	assert_int_equal(call(client, &answer, -1, 2000), -ENOENT);
	executor_client_free(client);
	assert_int_equal(executor_client_new("tcp:1.2.3.4", &client), -EINVAL);
}

static void test_no_answer_in_time(void **state)
{
	struct executor_answer answer;
	struct executor_client *client;
	struct stage stage;

	(void)state;
	stage_open(&stage, play_silence);
	assert_int_equal(executor_client_new(stage.path, &client), 0);
	assert_int_equal(call(client, &answer, -1, 50), -ETIMEDOUT);
	executor_client_free(client);
	stage_close(&stage);
}

static void test_a_client_that_goes_away_cancels(void **state)
{
	struct executor_answer answer;
	struct executor_client *client;
	struct stage stage;
	int pair[2];

	(void)state;
	stage_open(&stage, play_silence);
	assert_int_equal(executor_client_new(stage.path, &client), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	assert_int_equal(call(client, &answer, pair[0], 2000), -ECANCELED);
	close(pair[0]);
	executor_client_free(client);
	stage_close(&stage);
}

static void test_a_request_that_is_too_large(void **state)
{
	struct exec_request request = { .call = FRAME_EXECUTE };
	struct executor_wait wait = { -1, 1000 };
	struct executor_answer answer;
	struct executor_client *client;

	(void)state;
	request.code.length = FRAME_REQUEST_MAX + 1;
	request.code.data = calloc(1, request.code.length);
	assert_non_null(request.code.data);
	assert_int_equal(executor_client_new("/nonexistent/s", &client), 0);
	assert_int_equal(executor_client_call(client, &request, &wait, &answer), -E2BIG);
	executor_client_free(client);
	free((char *)(uintptr_t)request.code.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_on_a_kept_connection),
		cmocka_unit_test(test_a_restarted_executor_is_found),
		cmocka_unit_test(test_breakage),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_no_answer_in_time),
		cmocka_unit_test(test_a_client_that_goes_away_cancels),
		cmocka_unit_test(test_a_request_that_is_too_large),
		cmocka_unit_test(test_files_for_a_run),
		cmocka_unit_test(test_files_for_several_sandboxes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
