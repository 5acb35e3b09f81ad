import { forAllTests, RedisServer } from "./servers.ts";
import { testContractOn } from "./stores.ts";

const server = new RedisServer();
forAllTests(server);
testContractOn("Redis", server);
