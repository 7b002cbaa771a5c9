package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

func accountID(n int) string { return fmt.Sprintf("%012d", 111122223333+n) }

// accountIDs are those of a world of so many accounts, as a setting.
func accountIDs(n int) string {
	var out []string
	for i := range n {
		out = append(out, accountID(i))
	}
	return strings.Join(out, ",")
}

// queues writes a world of so many queues in each of some accounts and regions.
// Lists of queues give identifiers alone, so each must be read.
func queues(n, accounts int, regions ...string) func(io.Writer) error {
	type account struct {
		ID    string `json:"id"`
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	type resource struct {
		Type       string         `json:"type"`
		Account    string         `json:"account"`
		Region     string         `json:"region"`
		Properties map[string]any `json:"properties"`
	}
	return func(w io.Writer) error {
		var world struct {
			Accounts  []account  `json:"accounts"`
			Regions   []string   `json:"regions"`
			Resources []resource `json:"resources"`
		}
		world.Regions = regions
		for a := range accounts {
			id := accountID(a)
			world.Accounts = append(world.Accounts, account{id, "account-" + id, id + "@example.com"})
			for _, r := range regions {
				for i := range n {
					name := fmt.Sprintf("queue-%06d", i)
					world.Resources = append(world.Resources, resource{"AWS::SQS::Queue", id, r, map[string]any{
						"QueueName": name, "QueueUrl": "https://sqs." + r + ".amazonaws.com/" + id + "/" + name, "Arn": "arn:aws:sqs:" + r + ":" + id + ":" + name,
						"DelaySeconds": i % 10, "VisibilityTimeout": 30,
						"Tags": []map[string]any{{"Key": "team", "Value": fmt.Sprintf("team-%d", i%7)}}}})
				}
			}
		}
		return json.NewEncoder(w).Encode(world)
	}
}
