-- request.lua - one request over and over, and a line of JSON at the end.
--
--   wrk -s request.lua URL -- METHOD PATH [BODY [PATTERN]]
--
-- #N in the path stands for 1 to N, one after the other. With a PATTERN (a Lua pattern), every answer's body must match it; answers with 503 are
-- counted apart, because under overload they are a proper answer.

local threads = {}

function setup(thread)
	thread:set("refused", 0)
	thread:set("wrong", 0)
	table.insert(threads, thread)
end

function init(args)
	local method, path, body, pattern = args[1], args[2], args[3], args[4]
	local message = wrk.format(method, path, body and { ["Content-Type"] = "application/json" }, body)

	if path:find("#", 1, true) then -- #N: 1 to N, one after the other
		local most = tonumber(path:match("#(%d+)"))
		local messages = {}
		for number = 1, most do
			messages[number] = wrk.format(method, (path:gsub("#%d+", tostring(number))),
				{ ["Content-Type"] = "application/json" }, body)
		end
		local at = 0
		request = function()
			at = at % most + 1
			return messages[at]
		end
	else
		request = function() return message end
	end
	if pattern then
		response = function(status, headers, answer)
			if status == 503 then
				refused = refused + 1
			elseif status ~= 200 or not answer:find(pattern) then
				wrong = wrong + 1
			end
		end
	end
end

function done(summary, latency)
	local refused_in_all, wrong_in_all = 0, 0

	for _, thread in ipairs(threads) do
		refused_in_all = refused_in_all + thread:get("refused")
		wrong_in_all = wrong_in_all + thread:get("wrong")
	end
	local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
	io.write(string.format('\nJSON {"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "max_us": %d, ' ..
		'"refused": %d, "wrong": %d, "status": %d, "failed": %d}\n',
		summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), latency.max,
		refused_in_all, wrong_in_all, summary.errors.status, failed))
end
