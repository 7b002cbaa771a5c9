//go:build unix

package main

import (
	"bufio"
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

// queues writes a world of so many queues in each of some accounts and regions,
// one by one: what this process holds counts for those that it starts. Lists of
// queues give identifiers alone, so each must be read.
func queues(n, accounts int, regions ...string) func(io.Writer) error {
	return func(out io.Writer) error {
		w := bufio.NewWriter(out)
		var list []map[string]string
		for a := range accounts {
			id := accountID(a)
			list = append(list, map[string]string{"id": id, "name": "account-" + id, "email": id + "@example.com"})
		}
		head, err := json.Marshal(list)
		if err != nil {
			return err
		}
		places, err := json.Marshal(regions)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, `{"accounts":%s,"regions":%s,"resources":[`, head, places)
		comma := ""
		for a := range accounts {
			for _, r := range regions {
				for i := range n {
					text, err := json.Marshal(queue(accountID(a), r, i))
					if err != nil {
						return err
					}
					fmt.Fprintf(w, "%s%s", comma, text)
					comma = ",\n"
				}
			}
		}
		io.WriteString(w, "]}")
		return w.Flush()
	}
}

// queue is one resource of a world.
func queue(account, region string, i int) map[string]any {
	name := fmt.Sprintf("queue-%06d", i)
	return map[string]any{"type": "AWS::SQS::Queue", "account": account, "region": region, "properties": map[string]any{
		"QueueName": name, "QueueUrl": "https://sqs." + region + ".amazonaws.com/" + account + "/" + name, "Arn": "arn:aws:sqs:" + region + ":" + account + ":" + name,
		"DelaySeconds": i % 10, "VisibilityTimeout": 30, "Tags": []map[string]any{{"Key": "team", "Value": fmt.Sprintf("team-%d", i%7)}}}}
}
