"""The embedded world: pictures drawn from the attributes of AwA2's animals, texts about them, small models of both."""
