# frozen_string_literal: true

# How Ruby's Dalli logs in. The arguments are the server's port, the user and the password.
require "dalli"

PORT, USER, PASSWORD = ARGV
Dalli.logger.level = Logger::FATAL + 1

def outcome(**login)
  client = Dalli::Client.new("127.0.0.1:#{PORT}", socket_timeout: 10, **login)
  client.set("key", "value")
  client.get("key")
rescue Dalli::DalliError
  "refused"
ensure
  client&.close
end

raise "the right password is refused" unless outcome(username: USER, password: PASSWORD) == "value"

[{ username: USER, password: "guess" }, { username: "eve", password: PASSWORD }, {}].each do |login|
  raise "a wrong login is taken" if outcome(**login) == "value"
end
puts "done"
