// Command barecloud is the loop that an engineer writes by hand with the AWS
// SDK: list a type, read each resource, with so many calls in flight; or make
// queues and wait for the end of each request. It is the yardstick for fetching
// and for changing.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudcontrol"
	"github.com/aws/aws-sdk-go-v2/service/cloudcontrol/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/sync/errgroup"
)

func main() {
	typ := flag.String("type", "AWS::SSM::Parameter", "resource type")
	parallel := flag.Int("parallel", 64, "calls in flight")
	get := flag.Bool("get", true, "read each resource")
	accounts := flag.String("accounts", "", "accounts to assume a role in, comma separated; empty: the caller's")
	regions := flag.String("regions", "us-east-1", "regions, comma separated")
	create := flag.Int("create", 0, "make so many queues instead")
	flag.Parse()
	if *create > 0 {
		if err := makeQueues(context.Background(), *create, *parallel); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(*create)
		return
	}
	n, err := run(context.Background(), *typ, *parallel, *get, strings.Split(*accounts, ","), strings.Split(*regions, ","))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(n)
}

func run(ctx context.Context, typ string, parallel int, get bool, accounts, regions []string) (int, error) {
	transport := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, parallel
	})
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(transport), config.WithRetryMaxAttempts(20))
	if err != nil {
		return 0, err
	}
	if _, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil); err != nil {
		return 0, err
	}
	counts := make(chan int, len(accounts)*len(regions))
	g, ctx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, parallel)
	for _, a := range accounts {
		cfg := cfg.Copy()
		if a != "" {
			cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), "arn:aws:iam::"+a+":role/sandbox"))
		}
		for _, r := range regions {
			client := cloudcontrol.NewFromConfig(cfg, func(o *cloudcontrol.Options) { o.Region = r })
			g.Go(func() error {
				n, err := one(ctx, g, client, typ, get, slots)
				counts <- n
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	close(counts)
	n := 0
	for c := range counts {
		n += c
	}
	return n, nil
}

// one lists a type in one place and reads what was listed beside it.
func one(ctx context.Context, g *errgroup.Group, client *cloudcontrol.Client, typ string, get bool, slots chan struct{}) (int, error) {
	n := 0
	pages := cloudcontrol.NewListResourcesPaginator(client, &cloudcontrol.ListResourcesInput{TypeName: &typ})
	for pages.HasMorePages() {
		slots <- struct{}{}
		page, err := pages.NextPage(ctx)
		<-slots
		if err != nil {
			return n, err
		}
		n += len(page.ResourceDescriptions)
		if !get {
			continue
		}
		for _, d := range page.ResourceDescriptions {
			slots <- struct{}{}
			g.Go(func() error {
				defer func() { <-slots }()
				_, err := client.GetResource(ctx, &cloudcontrol.GetResourceInput{TypeName: &typ, Identifier: d.Identifier})
				return err
			})
		}
	}
	return n, nil
}

// makeQueues makes queues side by side, and asks after each request until it
// has ended: when the service says so, else after 0.3 s and ever later.
func makeQueues(ctx context.Context, n, parallel int) error {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(20))
	if err != nil {
		return err
	}
	client := cloudcontrol.NewFromConfig(cfg)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	run := time.Now().UnixNano()
	for i := range n {
		g.Go(func() error {
			out, err := client.CreateResource(ctx, &cloudcontrol.CreateResourceInput{TypeName: aws.String("AWS::SQS::Queue"),
				DesiredState: aws.String(fmt.Sprintf(`{"QueueName":"bare-%d-%d"}`, run, i))})
			if err != nil {
				return err
			}
			return ended(ctx, client, out.ProgressEvent)
		})
	}
	return g.Wait()
}

func ended(ctx context.Context, client *cloudcontrol.Client, e *types.ProgressEvent) error {
	for wait := 300 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		switch e.OperationStatus {
		case types.OperationStatusSuccess:
			return nil
		case types.OperationStatusFailed, types.OperationStatusCancelComplete:
			return fmt.Errorf("%s: %s", e.ErrorCode, aws.ToString(e.StatusMessage))
		}
		d := wait
		if e.RetryAfter != nil {
			d = max(time.Until(*e.RetryAfter), 0)
		}
		time.Sleep(d)
		out, err := client.GetResourceRequestStatus(ctx, &cloudcontrol.GetResourceRequestStatusInput{RequestToken: e.RequestToken})
		if err != nil {
			return err
		}
		e = out.ProgressEvent
	}
}
